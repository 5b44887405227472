#!lua flags=allow-oom
-- Notes that an owner is being forgotten. Allowed when Redis is full, since forgetting frees memory.
--
-- KEYS[1] forgotten  string
-- ARGV[1] how long work begun before is refused (ms)

redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1
