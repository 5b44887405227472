#!lua flags=allow-oom
-- Gives the lease back, if it is the holder's own. Allowed when Redis is full, since it frees memory.
--
-- KEYS[1] lease  string, the holder
-- ARGV[1] holder

if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
