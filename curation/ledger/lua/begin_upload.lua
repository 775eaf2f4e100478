-- Writes the id of the run's multipart upload. The first one wins; answers the id that holds,
-- or nothing when the ledger does not know the upload.
-- KEYS: upload
-- ARGV: upload_id
if redis.call('EXISTS', KEYS[1]) == 0 then return '' end
redis.call('HSETNX', KEYS[1], 'upload_id', ARGV[1])
return redis.call('HGET', KEYS[1], 'upload_id')
