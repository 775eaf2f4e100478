-- Writes fields of a record that is there and has not ended: a late writer brings no lost record
-- back, and rewrites none that is finished. 1 if they are written.
-- KEYS: record
-- ARGV: field, value, field, value …
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
