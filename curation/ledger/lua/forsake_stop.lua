-- uses: settle
-- Gives up a stop that EC2 refused, and the lease with it, so that the reaper can go on with it:
-- at once, because what a run has used or started is not taken for started by hand.
-- KEYS: instance, leases, billed
-- ARGV: now, holder, prefix of run keys
settle(KEYS[1], KEYS[2], KEYS[3], ARGV[3], tonumber(ARGV[1]))
redis.call('ZREM', KEYS[2], ARGV[2])
if redis.call('HGET', KEYS[1], 'stop_by') == ARGV[2] then
  redis.call('HDEL', KEYS[1], 'stop_by', 'stop_until', 'stop_sent_at')
end
redis.call('HSET', KEYS[1], 'in_use', 1)
return 1
