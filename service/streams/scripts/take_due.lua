#!lua
-- Takes what has come due, for a while: it stays in the list and comes due again unless it is dropped before.
--
-- KEYS[1] generation  string, must exist
-- KEYS[2] due         zset: name -> when (ms)
-- KEYS[3] due entries hash: name -> JSON
-- ARGV[1] now (ms)   ARGV[2] when it comes due again (ms, ending in .5: no timer is ever set to that)
-- ARGV[3] most names
--
-- Gives name, JSON, name, JSON.. by time. A name without an entry, left by a crash, is removed.
-- Refuses with GENERATIONMISSING; nothing is written then.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return redis.error_reply('GENERATIONMISSING there is no state, or it was lost: a keeper has to begin it')
end
local taken = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])) do
  local entry = redis.call('HGET', KEYS[3], name)
  if entry then
    redis.call('ZADD', KEYS[2], ARGV[2], name)
    taken[#taken + 1] = name
    taken[#taken + 1] = entry
  else
    redis.call('ZREM', KEYS[2], name)
  end
end
return taken
