-- Gives a run its video: the one that it has, or this one if no other run has taken it.
-- Answers: 1, or 0 if another run has taken it
-- KEYS: upload, taken, uploads
-- ARGV: run_id, the video's URL, the video as JSON, '1' if it goes to one run only, TTL in seconds,
--       now
if redis.call('HEXISTS', KEYS[1], 'video') == 1 then return 1 end
if ARGV[4] == '1' then
  redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[1])
  if redis.call('HGET', KEYS[2], ARGV[2]) ~= ARGV[1] then return 0 end
end
redis.call('HSET', KEYS[1], 'video', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[3], ARGV[6], ARGV[1])
return 1
