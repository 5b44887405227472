#!lua
-- Appends entries to the intake stream, in order, all or none. The stream is never trimmed.
--
-- KEYS[1] intake  stream
-- ARGV    for each entry: number of texts, then name, value, name, value..
--
-- Gives the stream ids. Refuses with WRONGTYPE at the first XADD, before anything is written.

local ids, position = {}, 1
while position <= #ARGV do
  local count = tonumber(ARGV[position])
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', unpack(ARGV, position + 1, position + count))
  position = position + 1 + count
end
return ids
