#!lua flags=allow-oom
-- Notes that an owner is forgotten, or admitted again. Allowed when Redis is full, since forgetting frees memory.
--
-- KEYS[1] forgotten  string: 'forgotten' or 'admitted', and the fencing number of who wrote it
-- ARGV[1] the word   ARGV[2] fencing number of the writer   ARGV[3] how long it stands (ms)
--
-- Refuses with FENCED where a later leader wrote the mark; nothing is written then.

local held = redis.call('GET', KEYS[1])
local fence = held and tonumber(string.match(held, '%d+'))
if fence and fence > tonumber(ARGV[2]) then
  return redis.error_reply('FENCED another holds the lease by now')
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
