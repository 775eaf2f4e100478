-- Shares the billed seconds since the last look equally among the runs that hold the instance.
local function settle(instance, leases, run_prefix, now)
  local since = tonumber(redis.call('HGET', instance, 'billed_since'))
  if not since or now <= since then return end
  local holders = redis.call('ZRANGE', leases, 0, -1)
  local field = #holders == 0 and 'unheld_seconds' or 'held_seconds'
  redis.call('HINCRBYFLOAT', instance, field, now - since)
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

