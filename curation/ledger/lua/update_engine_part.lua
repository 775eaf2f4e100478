-- Writes how many frames of a part are embedded; refused when another generation is at work.
-- Answers: ok | canceled | lost
-- KEYS: engine, parts
-- ARGV: now, generation, part, frames done, '1' if the part has come to its end
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then return 'lost' end
if redis.call('HEXISTS', KEYS[1], 'canceled') == 1 then return 'canceled' end
if redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return 'lost' end
local before = redis.call('HGET', KEYS[2], ARGV[3] .. '.frames') or '0'
redis.call('HSET', KEYS[2], ARGV[3] .. '.frames', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'n_done', tonumber(ARGV[4]) - tonumber(before))
redis.call('HSET', KEYS[1], 'beat_at', ARGV[1], 'embedded_at', ARGV[1])
if ARGV[5] == '1' then
  redis.call('HDEL', KEYS[2], ARGV[3] .. '.busy')
  if redis.call('HSETNX', KEYS[2], ARGV[3] .. '.done', 1) == 1 then
    redis.call('HINCRBY', KEYS[1], 'segments_done', 1)
  end
end
return 'ok'
