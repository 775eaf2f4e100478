-- Writes into how many segments a video is cut, before the first of them leaves a work file.
-- Answers: ok | canceled | lost
-- KEYS: engine, set of runs with work files
-- ARGV: now, generation, run id, segments, frames ('' if unknown)
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then return 'lost' end
if redis.call('HEXISTS', KEYS[1], 'canceled') == 1 then return 'canceled' end
redis.call('HSET', KEYS[1], 'beat_at', ARGV[1], 'state', 'EMBEDDING', 'n_segments', ARGV[4])
redis.call('HSETNX', KEYS[1], 'began_at', ARGV[1])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'n_frames', ARGV[5]) end
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[3])
return 'ok'
