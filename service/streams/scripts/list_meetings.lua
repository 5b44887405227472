#!lua flags=allow-oom
-- Lists the meetings of an owner that have state, and forgets those whose time has come.
-- Allowed when Redis is full, since it can only free memory.
--
-- KEYS[1] meetings  zset: meeting -> when it is forgotten (ms)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A key expires when its time is over: within its last ms the state can be read, so it is listed.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%.0f', now))
return redis.call('ZRANGE', KEYS[1], 0, -1)
