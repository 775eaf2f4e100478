-- Gives a lock to one owner at a time, until it is given back or over. 1 if the caller has it.
-- KEYS: lock
-- ARGV: now, owner, hold in seconds, ttl in seconds
local now = tonumber(ARGV[1])
local until_ = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
-- One further ahead than a hold was claimed before the clock was set back; it counts from now on.
if until_ > now + ARGV[3] then
  redis.call('HSET', KEYS[1], 'until', now + ARGV[3])
  return 0
end
if until_ > now then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'until', ARGV[1] + ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
