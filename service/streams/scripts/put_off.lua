#!lua
-- Puts an entry into the due list; one of the same name is replaced.
--
-- KEYS[1] generation  string, must exist
-- KEYS[2] due         zset: name -> when (ms)
-- KEYS[3] due entries hash: name -> JSON
-- ARGV[1] name   ARGV[2] when (ms)   ARGV[3] JSON
--
-- Refuses with GENERATIONMISSING; nothing is written then.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return redis.error_reply('GENERATIONMISSING there is no state, or it was lost: a keeper has to begin it')
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
return redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
