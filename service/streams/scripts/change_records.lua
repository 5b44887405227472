#!lua
-- Writes and drops records of a book and raises the book's counter, in one step.
--
-- KEYS[1] book     hash: name -> record
-- KEYS[2] counter  string, greater after every change, also after it was lost: at least Redis' time in ms
-- KEYS[3] fence    string, the last fencing number given with the lease
-- ARGV[1] fencing number of the writer, '' where it needs no lease
-- ARGV[2] number of records to write, then name, value.. of each, then the names to drop
--
-- Gives the counter. Refuses with FENCED; nothing is written then.

local CHUNK = 1000
local function call_in_chunks(command, first, last)
  for start = first, last, CHUNK do
    redis.call(command, KEYS[1], unpack(ARGV, start, math.min(start + CHUNK - 1, last)))
  end
end

if ARGV[1] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[1] then
  return redis.error_reply('FENCED another holds the lease by now')
end
local last_written = 2 + 2 * tonumber(ARGV[2])
call_in_chunks('HSET', 3, last_written)
call_in_chunks('HDEL', last_written + 1, #ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local counter = string.format('%.0f', math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0) + 1))
redis.call('SET', KEYS[2], counter)
return counter
