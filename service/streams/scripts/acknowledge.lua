#!lua flags=allow-oom
-- Takes entries off the intake stream: acknowledged first, then deleted, in one step.
-- Allowed when Redis is full, since it frees memory.
--
-- KEYS[1] intake  stream
-- ARGV[1] group   ARGV[2..] stream ids
--
-- Gives how many were still on the stream.

local CHUNK = 1000
local removed = 0
for first = 2, #ARGV, CHUNK do
  local last = math.min(first + CHUNK - 1, #ARGV)
  redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, first, last))
  removed = removed + redis.call('XDEL', KEYS[1], unpack(ARGV, first, last))
end
return removed
