#!lua flags=no-writes
-- Reads what the processes tell of themselves, all at one moment.
--
-- KEYS[1] processes  hash   KEYS[2..] minutes  hashes
--
-- Gives Redis' time in ms, the processes as name, text.., then each minute as name, number..

local time = redis.call('TIME')
local reply = {string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))}
for _, key in ipairs(KEYS) do reply[#reply + 1] = redis.call('HGETALL', key) end
return reply
