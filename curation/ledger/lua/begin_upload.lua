-- Writes the id of the run's multipart upload. The first one wins; answers the id that holds.
-- KEYS: upload
-- ARGV: upload_id
redis.call('HSETNX', KEYS[1], 'upload_id', ARGV[1])
return redis.call('HGET', KEYS[1], 'upload_id')
