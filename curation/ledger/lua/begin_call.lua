-- Counts a call that is sent under a lock, if the lock is still the caller's and lasts long enough.
-- Answers: 1, or 0 if the call must not be sent
-- KEYS: lock, hosted, calls
-- ARGV: now, owner, run_id, seconds that must be left of the lock
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then return 0 end
if tonumber(redis.call('HGET', KEYS[1], 'until')) < ARGV[1] + ARGV[4] then return 0 end
redis.call('HINCRBY', KEYS[2], 'n_calls', 1)
redis.call('ZADD', KEYS[3], ARGV[1], ARGV[3])
return 1
