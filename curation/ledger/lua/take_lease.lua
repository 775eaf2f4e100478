-- uses: settle
-- Takes a lease away from the run that holds it. 1 if it held one.
-- KEYS: instance, leases
-- ARGV: now, run_id, prefix of run keys
settle(KEYS[1], KEYS[2], ARGV[3], tonumber(ARGV[1]))
return redis.call('ZREM', KEYS[2], ARGV[2])
