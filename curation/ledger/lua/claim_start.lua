-- Lets one run send StartInstances; the others wait for its effect. 1 if the caller must send it.
-- KEYS: instance
-- ARGV: now, seconds for which a `stopped` after a start is taken for EC2's lag, run id
local started = tonumber(redis.call('HGET', KEYS[1], 'started_at') or '0')
-- A run that asks again without having heard of an end of its call has lost who sent it.
local mine = redis.call('HGET', KEYS[1], 'starting_by') == ARGV[3]
if started + ARGV[2] > tonumber(ARGV[1]) and not mine then return 0 end
redis.call('HSET', KEYS[1], 'started_at', ARGV[1], 'in_use', 1, 'starting_by', ARGV[3])
return 1
