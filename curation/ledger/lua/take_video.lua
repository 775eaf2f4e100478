-- Takes a video of a folder or prefix for one run. 1 if it is that run's now, or was.
-- KEYS: taken
-- ARGV: the video's URL, who takes it
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] and 1 or 0
