-- uses: count
-- Ends one delivery's work on a step; refused (0) when the step has meanwhile another owner.
-- KEYS: run, counters
-- ARGV: now, step, owner, new state, turn of the message that goes on ('' if none),
--       counter to raise: attempts | looks | '', seconds until that message is due,
--       why the try failed ('' if it did not)
local run, step = KEYS[1], ARGV[2]
if redis.call('HGET', run, step .. '.owner') ~= ARGV[3] then return 0 end
redis.call('HDEL', run, step .. '.owner', step .. '.held_until')
redis.call('HSET', run, step .. '.state', ARGV[4], 'updated_at', ARGV[1],
  'quiet_until', ARGV[1] + ARGV[7])
if ARGV[5] ~= '' then
  local turn = tonumber(redis.call('HGET', run, step .. '.turn') or '0')
  redis.call('HSET', run, step .. '.turn', math.max(turn, tonumber(ARGV[5])),
    step .. '.due_at', ARGV[1] + ARGV[7], step .. '.problem', ARGV[8])
else
  redis.call('HSET', run, step .. '.ended_at', ARGV[1])
  local began = redis.call('HGET', run, step .. '.started_at')
  observe(KEYS[2], 'step_seconds|' .. step .. '|' .. ARGV[4], ARGV[1] - began)
end
if ARGV[6] ~= '' then
  redis.call('HINCRBY', run, step .. '.' .. ARGV[6], 1)
  redis.call('HINCRBY', KEYS[2], ARGV[6] .. '|' .. step, 1)
end
return 1
