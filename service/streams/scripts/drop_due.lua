#!lua flags=allow-oom
-- Drops from the due list what was taken and is on the intake stream by now, unless it was set anew meanwhile.
-- Allowed when Redis is full, since it frees memory.
--
-- KEYS[1] due         zset: name -> when (ms)
-- KEYS[2] due entries hash: name -> JSON
-- ARGV[1] when it would have come due again, as it was given to take_due   ARGV[2..] names
--
-- Gives how many were dropped.

local dropped = 0
for index = 2, #ARGV do
  local name = ARGV[index]
  local score = redis.call('ZSCORE', KEYS[1], name)
  if score and tonumber(score) == tonumber(ARGV[1]) then
    redis.call('HDEL', KEYS[2], name)
    dropped = dropped + redis.call('ZREM', KEYS[1], name)
  end
end
return dropped
