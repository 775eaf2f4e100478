-- uses: count
-- Moves a run whose outcome is known into its end state; end states never change.
-- KEYS: run, active, idempotency, counters
-- ARGV: now, run_id, retention in seconds, end state ('' = the outcome), error as JSON ('' = none),
--       state of the last step, then the names of all steps: those still open are given up
-- Counts the run, and what it brought by its own work: not what it took over from an earlier one.
local function count_run(state)
  local function get(field) return redis.call('HGET', KEYS[1], field) end
  local why = get('error')
  count_word(KEYS[4], 'ended|' .. state, why and cjson.decode(why).code or '')
  observe(KEYS[4], 'run_seconds|' .. state, ARGV[1] - get('created_at'))
  local began = get('release_instance.started_at')
  if began then observe(KEYS[4], 'step_seconds|release_instance|' .. ARGV[6], ARGV[1] - began) end
  if get('video') and get('ingest_video.state') == 'succeeded' then
    redis.call('HINCRBY', KEYS[4], 'bytes',
      string.format('%.0f', cjson.decode(get('video')).size_bytes))
  end
  local selects = get('run_selection.state') ~= 'skipped' and not get('same_as')
  if state == 'completed' and selects then
    redis.call('HINCRBY', KEYS[4], 'frames_seen', get('selection.n_frames') or 0)
    redis.call('HINCRBY', KEYS[4], 'frames_selected', get('selection.n_selected') or 0)
  end
end
local outcome = redis.call('HGET', KEYS[1], 'outcome')
if not outcome or redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return 0 end
local state = ARGV[4] ~= '' and ARGV[4] or outcome
redis.call('HSET', KEYS[1], 'state', state, 'ended_at', ARGV[1], 'updated_at', ARGV[1])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'error', ARGV[5]) end
count_run(state)
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
