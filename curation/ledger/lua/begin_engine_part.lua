-- Lets a delivery begin a part of an engine task: its plan, one segment, or its choice.
-- Whoever began the part before and did not end it has died, or is a twin of this delivery.
-- Answers: lost | canceled | done | early | go, generation to go on with, deaths in this part so far
-- KEYS: engine, parts
-- ARGV: now, generation, part, '1' for a part that needs all segments and becomes a new generation,
--       ttl in seconds
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then return {'lost'} end
if redis.call('HEXISTS', KEYS[1], 'canceled') == 1 then return {'canceled'} end
if redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return {'lost'} end
if redis.call('HEXISTS', KEYS[2], ARGV[3] .. '.done') == 1 then return {'done'} end
if ARGV[4] == '1' then
  local done = redis.call('HGET', KEYS[1], 'segments_done') or '0'
  if done ~= redis.call('HGET', KEYS[1], 'n_segments') then return {'early'} end
end
local deaths = redis.call('HGET', KEYS[2], ARGV[3] .. '.deaths') or '0'
if redis.call('HSET', KEYS[2], ARGV[3] .. '.busy', 1) == 0 then
  deaths = redis.call('HINCRBY', KEYS[2], ARGV[3] .. '.deaths', 1)
end
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('HSET', KEYS[1], 'beat_at', ARGV[1])
local generation = ARGV[2]
if ARGV[4] == '1' then generation = redis.call('HINCRBY', KEYS[1], 'generation', 1) end
return {'go', tostring(generation), tostring(deaths)}
