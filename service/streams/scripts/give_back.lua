#!lua flags=allow-oom
-- Undoes the count of a handing out that came to nothing through no fault of the entry. It stays pending with
-- the consumer, from now on, so that it is taken over like any other. Allowed when Redis is full.
--
-- KEYS[1] intake  stream
-- ARGV[1] group   ARGV[2] consumer   then id and how often it was handed out, this time included, for each
--
-- Gives how many were still the consumer's.
-- Source: https://redis.io/docs/latest/commands/xclaim/

local given_back = 0
for at = 3, #ARGV, 2 do
  local id, deliveries = ARGV[at], tonumber(ARGV[at + 1])
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2]) == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'RETRYCOUNT', deliveries - 1, 'JUSTID')
    given_back = given_back + 1
  end
end
return given_back
