-- Ends the stop that the caller was given: forgets the boot and all leases that are over.
-- KEYS: instance, leases
-- ARGV: now, holder
if redis.call('HGET', KEYS[1], 'stop_by') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'stop_by', 'stop_until', 'stop_sent_at', 'in_use', 'started_at',
  'marked_at', 'boot', 'command_id', 'launching_until', 'launching_by', 'starting_by')
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
return 1
