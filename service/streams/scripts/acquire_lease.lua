#!lua
-- Takes the lease where nobody holds it, extends it where it is the holder's own.
--
-- KEYS[1] lease  string, the holder, with an expiry
-- KEYS[2] fence  string, the last fencing number given
-- ARGV[1] holder   ARGV[2] how long (ms)
--
-- Gives the fencing number; false where another holds the lease. A new number is greater than all before,
-- also after the counter was lost, since it is at least Redis' time in ms.

local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return redis.call('GET', KEYS[2])
end
if holder and holder ~= ARGV[1] then return false end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = string.format('%.0f', math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0) + 1))
redis.call('SET', KEYS[2], fence)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return fence
