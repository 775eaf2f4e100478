-- Lets one engine task at a time work on a run; a silent one is replaced by the next generation.
-- Answers the new generation, or 0 when the task is canceled, at an end, or in good hands.
-- KEYS: engine
-- ARGV: now, seconds of silence after which a task is taken for dead
local state = redis.call('HGET', KEYS[1], 'state')
if not state or redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return 0 end
if redis.call('HEXISTS', KEYS[1], 'canceled') == 1 then return 0 end
local beat = tonumber(redis.call('HGET', KEYS[1], 'beat_at') or '0')
if state ~= 'OPEN' and beat + ARGV[2] > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'state', 'STARTED', 'beat_at', ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'generation', 1)
