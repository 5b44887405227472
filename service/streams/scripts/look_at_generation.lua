#!lua flags=allow-oom
-- Tells whether a partition's state is there and is the newest that was ever seen; ends it where it is older.
-- Allowed when Redis is full: it writes one number at most, and a full Redis must not look like a lost state.
--
-- KEYS[1] generation  string, there as long as the state is the one we wrote
-- KEYS[2] watermark   string, a number that rises while a keeper leads: it goes back with the state alone
-- ARGV[1] the highest watermark that the asking process has seen
-- ARGV[2] Unix time in ms by the clock of the keeper that leads, to raise the watermark to; '' leaves it
--
-- Gives {'there' | 'missing' | 'older', watermark as it was found}. Where it is older, as after the restore of
-- a backup, the mark of the generation is taken away, so that every script refuses until a keeper begins anew.

local seen = tonumber(ARGV[1])
local found = tonumber(redis.call('GET', KEYS[2]) or 0)
local as_found = string.format('%.0f', found)
local is_there = redis.call('EXISTS', KEYS[1]) == 1
if found < seen then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[2], string.format('%.0f', seen))
end
if not is_there then return {'missing', as_found} end
if found < seen then return {'older', as_found} end
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[2], string.format('%.0f', math.max(found + 1, tonumber(ARGV[2]))))
end
return {'there', as_found}
