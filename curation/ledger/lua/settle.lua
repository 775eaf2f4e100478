-- Adds billed seconds to the days (UTC, counted from the epoch) that they lie in.
local function bill(billed, since, now, word)
  while since < now do
    local day = math.floor(since / 86400)
    local part = math.min(now, (day + 1) * 86400)
    redis.call('HINCRBYFLOAT', billed, day .. '|' .. word, part - since)
    since = part
  end
end

-- Shares the billed seconds since the last look equally among the runs that hold the instance.
local function settle(instance, leases, billed, run_prefix, now)
  local since = tonumber(redis.call('HGET', instance, 'billed_since'))
  if not since or now <= since then return end
  local holders = redis.call('ZRANGE', leases, 0, -1)
  local word = #holders == 0 and 'unheld' or 'held'
  redis.call('HINCRBYFLOAT', instance, word .. '_seconds', now - since)
  bill(billed, since, now, word)
  for _, run_id in ipairs(holders) do
    if redis.call('EXISTS', run_prefix .. run_id) == 1 then
      redis.call('HINCRBYFLOAT', run_prefix .. run_id, 'instance_seconds', (now - since) / #holders)
    end
  end
  redis.call('HSET', instance, 'billed_since', now)
end

-- Whether somebody else than `me` is stopping the instance right now.
local function stopping_by_other(instance, me, now)
  local by = redis.call('HGET', instance, 'stop_by')
  local until_ = tonumber(redis.call('HGET', instance, 'stop_until') or '0')
  return by and by ~= me and until_ > now
end

