#!lua flags=allow-oom
-- Forgets consumers of the group that were not heard of for long and have nothing pending.
-- In one step, since a consumer that is dropped while it holds entries would take them along.
--
-- KEYS[1] intake  stream
-- ARGV[1] group   ARGV[2] silent for so long (ms)
--
-- Gives how many were dropped.

if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local dropped = 0
for _, reply in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for index = 1, #reply, 2 do consumer[reply[index]] = reply[index + 1] end
  if consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    dropped = dropped + 1
  end
end
return dropped
