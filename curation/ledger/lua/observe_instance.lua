-- uses: settle
-- Notes the state that EC2 answered, and keeps the clock of billed seconds.
-- KEYS: instance, leases, expected, billed
-- ARGV: now, state, '1' if the state is billed, prefix of run keys, seconds that a lease, the hold
--       of a stop and the hold of a launch live
local now = tonumber(ARGV[1])
-- When the clock is set back, times lie further ahead than they can have been written. They are cut
-- to what they would be now, or all that waits for one would wait for as long as the clock jumped.
local function cut(field, most)
  local at = tonumber(redis.call('HGET', KEYS[1], field))
  if at and at > now + most then redis.call('HSET', KEYS[1], field, now + most) end
end
for _, field in ipairs({'billed_since', 'marked_at', 'started_at', 'stop_sent_at', 'launched_at'}) do
  cut(field, 0)
end
cut('stop_until', ARGV[6])
cut('launching_until', ARGV[7])
for i = 2, 3 do
  for _, run_id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '(' .. now + ARGV[5], '+inf')) do
    redis.call('ZADD', KEYS[i], now + ARGV[5], run_id)
  end
end
settle(KEYS[1], KEYS[2], KEYS[4], ARGV[4], now)
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'seen_at', ARGV[1])
if ARGV[3] == '1' then
  redis.call('HSETNX', KEYS[1], 'billed_since', ARGV[1])
else
  redis.call('HDEL', KEYS[1], 'billed_since')
end
return 1
