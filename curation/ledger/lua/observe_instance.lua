-- uses: settle
-- Notes the state that EC2 answered, and keeps the clock of billed seconds.
-- KEYS: instance, leases
-- ARGV: now, state, '1' if the state is billed, prefix of run keys
local now = tonumber(ARGV[1])
settle(KEYS[1], KEYS[2], ARGV[4], now)
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'seen_at', ARGV[1])
if ARGV[3] == '1' then
  redis.call('HSETNX', KEYS[1], 'billed_since', ARGV[1])
else
  redis.call('HDEL', KEYS[1], 'billed_since')
end
return 1
