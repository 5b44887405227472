#!lua
-- Ends the present life of a meeting whose state is an older one: its facts stay, for they are true whenever
-- they were read, but its next commit has a new epoch and numbers its updates from 1.
--
-- KEYS[1] meeting  hash; fields of ours begin with '@'

-- Lua cannot hand more than about 8000 values to one call.
local CHUNK = 1000
local ended = {'@epoch'}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 10) == '@sequence:' then ended[#ended + 1] = field end
end
for first = 1, #ended, CHUNK do
  redis.call('HDEL', KEYS[1], unpack(ended, first, math.min(first + CHUNK - 1, #ended)))
end
return #ended
