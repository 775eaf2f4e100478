-- Writes progress or the end of an engine task; refused when another generation works on it.
-- Answers: ok | canceled | lost
-- KEYS: engine
-- ARGV: now, generation, '1' if this is the end, then field, value …
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then return 'lost' end
if redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return 'lost' end
if redis.call('HEXISTS', KEYS[1], 'canceled') == 1 then return 'canceled' end
redis.call('HSET', KEYS[1], 'beat_at', ARGV[1])
for i = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  if ARGV[i] == 'n_done' then  -- for the rate
    redis.call('HSETNX', KEYS[1], 'began_at', ARGV[1])
    redis.call('HSET', KEYS[1], 'embedded_at', ARGV[1])
  end
end
if ARGV[3] == '1' then redis.call('HSET', KEYS[1], 'ended_at', ARGV[1]) end
return 'ok'
