#!lua
-- Takes over entries that another consumer left pending for long, and tells how often each was handed out.
-- Entries that were deleted meanwhile leave the pending list by themselves.
--
-- KEYS[1] intake  stream
-- ARGV[1] group   ARGV[2] consumer   ARGV[3] pending for so long (ms)   ARGV[4] id to begin at
-- ARGV[5] most entries
--
-- Gives {id to begin at next time, {id, deliveries, {name, value, ..}}, ..}.
-- Source: https://redis.io/docs/latest/commands/xautoclaim/

local reply = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local result = {reply[1]}
for _, entry in ipairs(reply[2]) do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
  result[#result + 1] = {entry[1], pending[1][4], entry[2]}
end
return result
