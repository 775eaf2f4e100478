-- Renews the hold of the delivery that works on a step. Answers: ended | lost | held
-- KEYS: run
-- ARGV: now, step, owner, hold in seconds
if redis.call('HGET', KEYS[1], ARGV[2] .. '.owner') ~= ARGV[3] then return 'lost' end
local until_ = ARGV[1] + ARGV[4]
redis.call('HSET', KEYS[1], ARGV[2] .. '.held_until', until_, 'quiet_until', until_)
if redis.call('HEXISTS', KEYS[1], 'outcome') == 1 then return 'ended' end
return 'held'
