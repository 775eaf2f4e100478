-- Gives a lock back, if the caller still has it.
-- KEYS: lock
-- ARGV: owner
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
