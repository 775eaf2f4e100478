-- uses: settle
-- Takes a lease away from the run that holds it. 1 if it held one.
-- KEYS: instance, leases, billed
-- ARGV: now, run_id, prefix of run keys
settle(KEYS[1], KEYS[2], KEYS[3], ARGV[3], tonumber(ARGV[1]))
return redis.call('ZREM', KEYS[2], ARGV[2])
