-- Lets exactly one delivery at a time work on a step, and drops deliveries that came too late.
-- KEYS: run, counters
-- ARGV: now, step, turn (how often this message was sent again), owner, hold in seconds,
--       run state that the step implies ('' if none), '1' if the step goes on after the outcome,
--       owner that is known to be dead ('' if none)
-- Answers: gone | ended | done | stale | busy, seconds, owner | go, deliveries that died in the step
local run, now, step, turn = KEYS[1], tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
if redis.call('EXISTS', run) == 0 then return {'gone'} end
if redis.call('HEXISTS', run, 'ended_at') == 1 then return {'ended'} end
local state = redis.call('HGET', run, step .. '.state')
local at_end = {succeeded = true, skipped = true, failed = true, canceled = true}
if at_end[state] then return {'done'} end
if turn < tonumber(redis.call('HGET', run, step .. '.turn') or '0') then return {'stale'} end
local until_ = tonumber(redis.call('HGET', run, step .. '.held_until') or '0')
local owner = redis.call('HGET', run, step .. '.owner')
if until_ > now + ARGV[5] then
  -- Held before the clock was set back; from now on as long as any other hold.
  until_ = now + ARGV[5]
  redis.call('HSET', run, step .. '.held_until', until_)
end
if owner and owner ~= ARGV[4] and owner ~= ARGV[8] and until_ > now then
  return {'busy', tostring(until_ - now), owner}
end
if redis.call('HEXISTS', run, 'outcome') == 1 and ARGV[7] ~= '1' then return {'ended'} end
if owner and owner ~= ARGV[4] then
  redis.call('HINCRBY', run, step .. '.deaths', 1)
  redis.call('HINCRBY', KEYS[2], 'deaths|' .. step, 1)
end
redis.call('HSET', run, step .. '.owner', ARGV[4], step .. '.held_until', now + ARGV[5],
  'quiet_until', now + ARGV[5])
if state ~= 'running' then
  redis.call('HSET', run, step .. '.state', 'running', 'updated_at', ARGV[1])
end
redis.call('HSETNX', run, step .. '.started_at', ARGV[1])
redis.call('HSETNX', run, step .. '.attempts', 1)
if ARGV[6] ~= '' and redis.call('HEXISTS', run, 'outcome') == 0 then
  local rank = {pending = 0, preparing = 1, selecting = 2}
  if rank[ARGV[6]] > (rank[redis.call('HGET', run, 'state')] or 9) then
    redis.call('HSET', run, 'state', ARGV[6])
  end
end
return {'go', redis.call('HGET', run, step .. '.deaths') or '0'}
