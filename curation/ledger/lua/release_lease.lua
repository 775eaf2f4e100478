-- uses: settle
-- Gives a lease back, and says whether the caller is the last one out and must stop the instance.
-- Answers: shared (others hold or stop it) | unused (nobody has used it) | stop (caller must stop)
-- While `stop` stands, no lease is granted; the caller keeps its own until `confirm_stopped`.
-- KEYS: instance, leases, expected, billed
-- ARGV: now, holder (a run id, or the reaper's name), hold in seconds, prefix of run keys,
--       '1' to stop even what no run has used
local now, me = tonumber(ARGV[1]), ARGV[2]
local function live_others(key)
  local count = 0
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. ARGV[1], '+inf')) do
    if member ~= me then count = count + 1 end
  end
  return count
end
local function leave()
  redis.call('ZREM', KEYS[2], me)
  redis.call('ZREM', KEYS[3], me)
  if redis.call('HGET', KEYS[1], 'stop_by') == me then
    redis.call('HDEL', KEYS[1], 'stop_by', 'stop_until', 'stop_sent_at')
  end
end
settle(KEYS[1], KEYS[2], KEYS[4], ARGV[4], now)
if stopping_by_other(KEYS[1], me, now) or live_others(KEYS[2]) + live_others(KEYS[3]) > 0 then
  leave()
  return 'shared'
end
if redis.call('HEXISTS', KEYS[1], 'in_use') == 0 and ARGV[5] ~= '1' then
  leave()
  return 'unused'
end
redis.call('ZREM', KEYS[3], me)
if redis.call('HGET', KEYS[1], 'stop_by') ~= me then redis.call('HDEL', KEYS[1], 'stop_sent_at') end
redis.call('HSET', KEYS[1], 'stop_by', me, 'stop_until', now + ARGV[3])
return 'stop'
