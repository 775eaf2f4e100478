-- Writes what the run will end as. The first outcome wins; 1 if it was this one.
-- KEYS: run
-- ARGV: now, outcome, error as JSON ('' if none)
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if redis.call('HEXISTS', KEYS[1], 'outcome') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'outcome', ARGV[2], 'state', 'finishing',
  'updated_at', ARGV[1], 'quiet_until', ARGV[1], 'revivals', 0)
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'error', ARGV[3]) end
return 1
