-- Forgets how far an upload has come; the video stays chosen. A finished upload is never forgotten.
-- Answers: 1 if it is forgotten
-- KEYS: upload
-- ARGV: upload_id and number of parts ('' before all are up) that it must have; '*' for any
if redis.call('HEXISTS', KEYS[1], 'result') == 1 then return 0 end
if ARGV[1] ~= '*' then
  if redis.call('HGET', KEYS[1], 'upload_id') ~= ARGV[1] then return 0 end
  if (redis.call('HGET', KEYS[1], 'n_parts') or '') ~= ARGV[2] then return 0 end
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field ~= 'video' and field ~= 'uri' then redis.call('HDEL', KEYS[1], field) end
end
return 1
