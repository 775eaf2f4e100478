-- Lets a message out, or counts it. Answers: how many were held back before it, -1 if it is too
-- KEYS: notices
-- ARGV: its kind, now, seconds between two
local last = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ':at') or '-1')
local ago = ARGV[2] - last
-- A last one that lies ahead was let out before the clock was set back.
if last >= 0 and ago >= 0 and ago < tonumber(ARGV[3]) then
  redis.call('HINCRBY', KEYS[1], ARGV[1] .. ':held', 1)
  return -1
end
local held = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ':held') or '0')
redis.call('HSET', KEYS[1], ARGV[1] .. ':at', ARGV[2], ARGV[1] .. ':held', 0)
return held
