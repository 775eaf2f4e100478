-- Sums for the metrics, in one hash: they only grow, and name no run.

-- Adds a duration to a histogram. Each bucket reaches twice as far as the one before: bucket k has
-- what took at most 2^k seconds, the first one all up to 1 s, and the last one all above 2^16 s.
local function observe(counters, series, seconds)
  seconds = math.max(seconds, 0)
  local bucket = 0
  while bucket < 17 and 2 ^ bucket < seconds do bucket = bucket + 1 end
  redis.call('HINCRBY', counters, series .. '|' .. bucket, 1)
  redis.call('HINCRBYFLOAT', counters, series .. '|sum', seconds)
end

-- Adds 1 for a word that others may have chosen; their number is bounded, so that metrics are.
local function count_word(counters, series, word)
  local field = series .. '|' .. word
  if redis.call('HEXISTS', counters, field) == 0 and redis.call('HLEN', counters) >= 1000 then
    field = series .. '|other'
  end
  redis.call('HINCRBY', counters, field, 1)
end

