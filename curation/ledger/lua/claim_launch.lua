-- Lets one run send the launch command, once per boot.
-- Answers: send | sent, command id | busy | unsure (it was sent, and the answer got lost)
-- KEYS: instance
-- ARGV: now, boot, hold in seconds, run id
local same = redis.call('HGET', KEYS[1], 'boot') == ARGV[2]
local command = redis.call('HGET', KEYS[1], 'command_id')
if same and command then return {'sent', command} end
local until_ = tonumber(redis.call('HGET', KEYS[1], 'launching_until') or '0')
-- A run that asks again while it is sending has lost who sent it: one delivery works at a time.
local mine = redis.call('HGET', KEYS[1], 'launching_by') == ARGV[4]
if same and until_ > tonumber(ARGV[1]) and not mine then return {'busy'} end
redis.call('HDEL', KEYS[1], 'command_id')
redis.call('HSET', KEYS[1], 'boot', ARGV[2], 'launching_until', ARGV[1] + ARGV[3],
  'launching_by', ARGV[4])
return {same and 'unsure' or 'send'}
