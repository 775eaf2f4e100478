-- uses: settle
-- Gives a run a lease on the instance. Answers: held | ended | stopping
-- KEYS: run, instance, leases, expected, billed
-- ARGV: now, run_id, instance_id, ttl in seconds, prefix of run keys
local now = tonumber(ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'outcome') == 1 then
  return 'ended'
end
if stopping_by_other(KEYS[2], ARGV[2], now) then return 'stopping' end
settle(KEYS[2], KEYS[3], KEYS[5], ARGV[5], now)
if not redis.call('ZSCORE', KEYS[3], ARGV[2]) then
  redis.call('HSET', KEYS[1], 'lease_granted_at', ARGV[1])
end
redis.call('ZADD', KEYS[3], now + ARGV[4], ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HSET', KEYS[2], 'in_use', 1)
redis.call('HDEL', KEYS[2], 'stop_by', 'stop_until', 'marked_at')
redis.call('HSET', KEYS[1], 'instance_id', ARGV[3], 'lease_renewed_at', ARGV[1])
return 'held'
