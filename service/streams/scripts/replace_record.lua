#!lua
-- Puts one record of a book in the place of another and raises the book's counter, in one step.
--
-- KEYS[1] book     hash: name -> record
-- KEYS[2] counter  string, greater after every change, also after it was lost: at least Redis' time in ms
-- ARGV[1] name
-- ARGV[2] the record that must be there
-- ARGV[3] the record to write
--
-- Gives 1, or 0 where another record is there or none; nothing is written then.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[2], string.format('%.0f', math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0) + 1)))
return 1
