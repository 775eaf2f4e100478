-- Moves a run whose outcome is known into its end state; end states never change.
-- KEYS: run, active, idempotency
-- ARGV: now, run_id, retention in seconds, end state ('' = the outcome), error as JSON ('' = none),
--       state of the last step, then the names of all steps: those still open are given up
local outcome = redis.call('HGET', KEYS[1], 'outcome')
if not outcome or redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return 0 end
local state = ARGV[4] ~= '' and ARGV[4] or outcome
redis.call('HSET', KEYS[1], 'state', state, 'ended_at', ARGV[1], 'updated_at', ARGV[1])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'error', ARGV[5]) end
redis.call('HSET', KEYS[1], 'release_instance.state', ARGV[6], 'release_instance.ended_at', ARGV[1])
redis.call('HDEL', KEYS[1], 'release_instance.owner', 'release_instance.held_until')
local open = {pending = true, running = true, waiting = true}
for i = 7, #ARGV do
  local field = ARGV[i] .. '.state'
  if open[redis.call('HGET', KEYS[1], field) or 'pending'] then
    redis.call('HSET', KEYS[1], field, 'canceled')
  end
end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if redis.call('HGET', KEYS[1], 'idempotency_key') ~= '' then
  redis.call('EXPIRE', KEYS[3], ARGV[3])
end
return 1
