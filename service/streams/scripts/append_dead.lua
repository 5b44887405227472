#!lua
-- Appends an entry to the dead letters and drops those beyond the length or the age.
--
-- KEYS[1] dead  stream
-- ARGV[1] most entries (approximate)   ARGV[2] oldest entry (ms before now)   ARGV[3..] name, value, ..
--
-- Gives the stream id.

local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 3))
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[2])
if oldest > 0 then redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', oldest)) end
return id
