-- Writes one fact of an upload, if it is still the run's upload. 1 if it is.
-- KEYS: upload
-- ARGV: upload_id, field, value, TTL in seconds
if redis.call('HGET', KEYS[1], 'upload_id') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
