#!lua flags=allow-oom
-- Notes that a process lives, and adds what it counted to the minute. Allowed when Redis is full: both keys are
-- bounded and go away by themselves, and a full Redis is what they have to tell of.
--
-- KEYS[1] processes  hash: process -> Redis time (ms), a space, the record
-- KEYS[2] minute     hash: name -> number
-- ARGV[1] process   ARGV[2] record   ARGV[3] silent ones are forgotten after (ms)   ARGV[4] most processes
-- ARGV[5] the minute is kept for (ms)   ARGV[6] how many sums   ARGV[7..] name, number.. of sums, then of maxima
--
-- Gives Redis' time in ms. A process beyond the most is not noted, what it counted is.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HGETALL', KEYS[1])
for at = 1, #held, 2 do
  local heard = tonumber(string.match(held[at + 1], '^%d+'))
  if not heard or heard + tonumber(ARGV[3]) < now then redis.call('HDEL', KEYS[1], held[at]) end
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 or redis.call('HLEN', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])

local sums_end = 6 + 2 * tonumber(ARGV[6])
for at = 7, sums_end, 2 do redis.call('HINCRBY', KEYS[2], ARGV[at], ARGV[at + 1]) end
for at = sums_end + 1, #ARGV, 2 do
  local before = tonumber(redis.call('HGET', KEYS[2], ARGV[at]) or -1)
  if tonumber(ARGV[at + 1]) > before then redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
end
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('PEXPIRE', KEYS[2], ARGV[5]) end
return string.format('%.0f', now)
