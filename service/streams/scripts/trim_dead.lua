#!lua flags=allow-oom
-- Drops dead letters beyond an age. Allowed when Redis is full, since it can only free memory.
--
-- KEYS[1] dead  stream
-- ARGV[1] oldest entry (ms before now)
--
-- Gives how many were dropped.

local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[1])
if oldest <= 0 then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', oldest))
