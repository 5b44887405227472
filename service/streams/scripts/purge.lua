#!lua flags=allow-oom
-- Deletes keys, timers and retries of a forgotten owner. Allowed when Redis is full, since it frees memory.
--
-- KEYS[1] forgotten    string, the mark that was left before the first purge
-- KEYS[2] due          zset: name -> when (ms)
-- KEYS[3] due entries  hash: name -> JSON
-- KEYS[4..] what is deleted
-- ARGV[1..] names of timers and retries
--
-- Gives how many keys were deleted. Refuses with FENCED where the owner was admitted again; nothing is
-- deleted then.

local CHUNK = 1000
local FIRST_DELETED = 4

local mark = redis.call('GET', KEYS[1])
if not mark or not string.find(mark, '^forgotten ') then
  return redis.error_reply('FENCED the owner was admitted again')
end
for first = 1, #ARGV, CHUNK do
  local last = math.min(first + CHUNK - 1, #ARGV)
  redis.call('HDEL', KEYS[3], unpack(ARGV, first, last))
  redis.call('ZREM', KEYS[2], unpack(ARGV, first, last))
end
local deleted = 0
for first = FIRST_DELETED, #KEYS, CHUNK do
  deleted = deleted + redis.call('UNLINK', unpack(KEYS, first, math.min(first + CHUNK - 1, #KEYS)))
end
return deleted
