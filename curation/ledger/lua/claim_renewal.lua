-- claim_renewal
-- Lets one caller write the end of the lease where it can be seen without Redis.
-- Answers: no (it was done a moment ago) | send | again (the last try has failed)
-- KEYS: instance
-- ARGV: now, where it is written, boot, seconds between two times
local noted = redis.call('HGET', KEYS[1], ARGV[2] .. '_renewed') or ''
local boot, at = string.match(noted, '^(%S+) (%S+)$')
local age_s = tonumber(ARGV[1]) - (tonumber(at) or 0)
-- A time ahead was noted before the clock was set back.
if boot == ARGV[3] and age_s >= 0 and age_s < tonumber(ARGV[4]) then return 'no' end
redis.call('HSET', KEYS[1], ARGV[2] .. '_renewed', ARGV[3] .. ' ' .. ARGV[1])
return noted == 'failed' and 'again' or 'send'
