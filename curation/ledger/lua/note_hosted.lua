-- Notes facts of a run on the hosted service; what is noted already stands. Answers all fields.
-- KEYS: hosted
-- ARGV: ttl in seconds, then field, value …
for i = 2, #ARGV, 2 do redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('HGETALL', KEYS[1])
