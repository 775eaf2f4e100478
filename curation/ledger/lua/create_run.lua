-- Writes a new run, or returns the id of the run that the idempotency key already has.
-- KEYS: run, idempotency, runs, active, expected
-- ARGV: run_id, now, deadline_at, idempotency_key ('' if none), expected_until ('' if no instance),
--       then field, value, field, value …
if ARGV[4] ~= '' then
  local known = redis.call('GET', KEYS[2])
  if known then
    -- Written again, because the caller waits for the disk, and the run may not be there yet.
    redis.call('SET', KEYS[2], known, 'KEEPTTL')
    return known
  end
  redis.call('SET', KEYS[2], ARGV[1])
end
redis.call('HSET', KEYS[1], 'run_id', ARGV[1], 'state', 'pending',
  'created_at', ARGV[2], 'updated_at', ARGV[2], 'quiet_until', ARGV[2], 'deadline_at', ARGV[3],
  'idempotency_key', ARGV[4])
for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[1])
if ARGV[5] ~= '' then redis.call('ZADD', KEYS[5], ARGV[5], ARGV[1]) end
return ARGV[1]
