-- Adds 1 to a field of a record that is there. Answers the sum, or 0 when there is no record.
-- KEYS: record
-- ARGV: field
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
