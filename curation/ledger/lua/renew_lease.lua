-- Prolongs a lease that is still there. Answers: held | ended | lost
-- KEYS: run, instance, leases
-- ARGV: now, run_id, ttl in seconds
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'outcome') == 1 then
  return 'ended'
end
local by = redis.call('HGET', KEYS[2], 'stop_by')
local stop_until = tonumber(redis.call('HGET', KEYS[2], 'stop_until') or '0')
if by and stop_until > tonumber(ARGV[1]) then return 'lost' end
if not redis.call('ZSCORE', KEYS[3], ARGV[2]) then return 'lost' end
redis.call('ZADD', KEYS[3], ARGV[1] + ARGV[3], ARGV[2])
redis.call('HSET', KEYS[1], 'lease_renewed_at', ARGV[1])
return 'held'
