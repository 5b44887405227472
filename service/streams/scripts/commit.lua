#!lua
-- Writes what one step changed of a meeting and appends its updates: all of it, or nothing.
--
-- KEYS[1]    generation    string, must exist
-- KEYS[2]    meeting       hash; fields of ours begin with '@', all others are the caller's
-- KEYS[3]    updates       stream
-- KEYS[4]    meetings      zset of the owner: meeting -> when it is forgotten (ms, +inf for never)
-- KEYS[5]    due           zset: name -> when (ms)
-- KEYS[6]    due entries   hash: name -> JSON
-- KEYS[7]    newest        string, the greatest version given in this partition
-- KEYS[8]    watermark     string, a number that goes back with the state alone
-- KEYS[9]    forgotten     string, begins with 'forgotten' for a while after the owner was forgotten
-- KEYS[10..] event         string, one for each event id, in the order of ARGV
--
-- ARGV[1] expected version   ARGV[2] STREAM_MAXLEN   ARGV[3] when to forget (ms; '' for never)
-- ARGV[4] least time to keep (ms)   ARGV[5] owner   ARGV[6] meeting
-- ARGV[7] the highest watermark that the process has seen: a state with a lower one is an older state
-- then five lists, each headed by its length:
--   fields to set (name, value), fields to drop (name), updates (instance, number of texts, the texts),
--   timers (name, when in ms or '' to end it, JSON), event ids (id, instance, JSON)
--
-- Gives {version, epoch, stream id of each update..}, or {'EVENTS'} when the meeting's lifetime changes and
-- not all of its event ids were named: nothing is written then, and the caller names them.
-- Refuses with GENERATIONMISSING, OWNERFORGOTTEN, VERSIONCONFLICT or WRONGTYPE; nothing is written then either.

local generation, meeting, updates, meetings, due, due_entries, newest_key, watermark, forgotten = unpack(KEYS, 1, 9)
local FIRST_EVENT = 10
local FORMAT_INTEGER = '%.0f'
-- Lua cannot hand more than about 8000 values to one call.
local CHUNK = 1000

local position = 7
local function take()
  position = position + 1
  return ARGV[position]
end
local function take_list(width)
  local items = {}
  for item = 1, tonumber(take()) do
    items[item] = {}
    for part = 1, width do items[item][part] = take() end
  end
  return items
end
local function take_updates()
  local items = {}
  for item = 1, tonumber(take()) do
    local update = {instance = take(), texts = {}}
    for text = 1, tonumber(take()) do update.texts[text] = take() end
    items[item] = update
  end
  return items
end
local function call_in_chunks(command, key, texts)
  for first = 1, #texts, CHUNK do
    redis.call(command, key, unpack(texts, first, math.min(first + CHUNK - 1, #texts)))
  end
end

local expected_version, maxlen = tonumber(ARGV[1]), ARGV[2]
local set_fields = take_list(2)
local drop_fields = take_list(1)
local new_updates = take_updates()
local timers = take_list(3)
local events = take_list(3)

-- 1. Refuse whatever must be refused, before the first write.

if redis.call('EXISTS', generation) == 0 then
  return redis.error_reply('GENERATIONMISSING there is no state, or it was lost: a keeper has to begin it')
end
if tonumber(redis.call('GET', watermark) or 0) < tonumber(ARGV[7]) then
  return redis.error_reply('GENERATIONMISSING the state is an older one: a keeper has to begin it anew')
end
if string.find(redis.call('GET', forgotten) or '', '^forgotten ') then
  return redis.error_reply('OWNERFORGOTTEN the owner was taken off the roster while this was being done')
end
local types = {[meeting] = 'hash', [updates] = 'stream', [meetings] = 'zset', [due] = 'zset',
               [due_entries] = 'hash', [newest_key] = 'string'}
for key, wanted in pairs(types) do
  local found = redis.call('TYPE', key)['ok']
  if found ~= 'none' and found ~= wanted then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. wanted)
  end
end
local held = redis.call('HMGET', meeting, '@version', '@epoch', '@expires')
local version = tonumber(held[1] or 0)
if version ~= expected_version then
  return redis.error_reply('VERSIONCONFLICT the state has changed since it was read')
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expires = ''
if ARGV[3] ~= '' then
  expires = string.format(FORMAT_INTEGER, math.max(tonumber(ARGV[3]), now + tonumber(ARGV[4])))
end
if held[1] and held[3] ~= expires then
  local named = {}
  for _, event in ipairs(events) do named['@event:' .. event[1]] = true end
  for _, field in ipairs(redis.call('HKEYS', meeting)) do
    if string.sub(field, 1, 7) == '@event:' and not named[field] then return {'EVENTS'} end
  end
end

-- 2. A meeting is born with an epoch greater than any version given before in this partition, and versions
-- begin at the epoch: so one that was forgotten never again has a version of its former life.

local newest = tonumber(redis.call('GET', newest_key) or 0)
local epoch = tonumber(held[2] or math.max(now, newest + 1))
version = math.max(version, epoch) + 1
if version > newest then redis.call('SET', newest_key, string.format(FORMAT_INTEGER, version)) end
local epoch_text = string.format(FORMAT_INTEGER, epoch)
local result = {string.format(FORMAT_INTEGER, version), epoch_text}

-- 3. The updates, each with the next number of its source.

local ours = {'@version', result[1], '@epoch', epoch_text, '@expires', expires,
              '@owner', ARGV[5], '@meeting', ARGV[6]}
local sequences = {}
for _, update in ipairs(new_updates) do
  local field = '@sequence:' .. update.instance
  local sequence = (sequences[field] or tonumber(redis.call('HGET', meeting, field) or 0)) + 1
  sequences[field] = sequence
  result[#result + 1] = redis.call('XADD', updates, 'MAXLEN', '~', maxlen, '*',
    'id', epoch_text .. '-' .. string.format(FORMAT_INTEGER, sequence),
    'epoch', epoch_text, 'sequence', string.format('%020.0f', sequence), unpack(update.texts))
end
for field, sequence in pairs(sequences) do
  ours[#ours + 1] = field
  ours[#ours + 1] = string.format(FORMAT_INTEGER, sequence)
end

-- 4. The state, and how long it and the event ids live.

local dropped, written = {}, ours
for _, field in ipairs(drop_fields) do dropped[#dropped + 1] = field[1] end
for _, field in ipairs(set_fields) do
  written[#written + 1] = field[1]
  written[#written + 1] = field[2]
end
for index, event in ipairs(events) do
  written[#written + 1] = '@event:' .. event[1]
  written[#written + 1] = event[2]
  redis.call('SET', KEYS[FIRST_EVENT + index - 1], event[3])
end
call_in_chunks('HDEL', meeting, dropped)
call_in_chunks('HSET', meeting, written)
for index = FIRST_EVENT - 1, #KEYS do
  local key = index < FIRST_EVENT and meeting or KEYS[index]
  if expires == '' then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, expires) end
end

-- 5. The owner's meetings: those forgotten since are dropped; the list lives as long as its longest.

redis.call('ZADD', meetings, expires == '' and '+inf' or expires, ARGV[6])
redis.call('ZREMRANGEBYSCORE', meetings, '-inf', '(' .. string.format(FORMAT_INTEGER, now))
local longest = redis.call('ZREVRANGE', meetings, 0, 0, 'WITHSCORES')[2]
if longest == 'inf' then
  redis.call('PERSIST', meetings)
else
  redis.call('PEXPIREAT', meetings, string.format(FORMAT_INTEGER, tonumber(longest)))
end

-- 6. The timers.

for _, timer in ipairs(timers) do
  if timer[2] == '' then
    redis.call('ZREM', due, timer[1])
    redis.call('HDEL', due_entries, timer[1])
  else
    redis.call('ZADD', due, timer[2], timer[1])
    redis.call('HSET', due_entries, timer[1], timer[3])
  end
end
return result
