-- Writes an open engine task; 0 if there is one already.
-- KEYS: engine
-- ARGV: now, ttl in seconds
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'state', 'OPEN', 'sent_at', ARGV[1], 'n_sent', 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
