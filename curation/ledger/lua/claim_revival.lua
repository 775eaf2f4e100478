-- Lets one caller send a silent run's message again; each time the silence must be twice as long.
-- KEYS: run
-- ARGV: now, seconds of silence before the first revival, most seconds that a run may be quiet
local run, now = KEYS[1], tonumber(ARGV[1])
if redis.call('EXISTS', run) == 0 or redis.call('HEXISTS', run, 'ended_at') == 1 then return 0 end
local revivals = tonumber(redis.call('HGET', run, 'revivals') or '0')
local quiet_until = tonumber(redis.call('HGET', run, 'quiet_until') or '0')
if quiet_until > now + ARGV[3] then
  -- Written before the clock was set back.
  quiet_until = now + ARGV[3]
  redis.call('HSET', run, 'quiet_until', quiet_until)
end
if now < quiet_until + ARGV[2] * 2 ^ math.min(revivals, 6) then return 0 end
redis.call('HSET', run, 'revivals', revivals + 1, 'quiet_until', now)
return 1
