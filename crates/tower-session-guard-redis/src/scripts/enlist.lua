-- Adds a record to the index of one of its keys, for longer than the record can live.
-- KEYS: the index. ARGV: the entry's place, now, when the record expires at the latest.
-- Returns when the entry was made, until when it is kept, and how many entries count.
-- An entry is its place, when it was made and until when it is kept; a place is 1 or 2, for a record that
-- counts or does not, and the record's id.
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local place, now, expires = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local til = math.max(expires, clock + math.max(0, expires - now)) + 3600000

local function kept_until(entry) return (struct.unpack('>I8', entry, 26)) end

local after = '(' .. place .. '\255'
local before = redis.call('ZRANGE', KEYS[1], '[' .. place, after, 'BYLEX')
for i = 1, #before do til = math.max(til, kept_until(before[i])) end
local entry = place .. struct.pack('>I8I8', clock, til)
-- The first write, so that a server whose memory is full refuses it.
redis.call('ZADD', KEYS[1], 0, entry)
for i = 1, #before do
  if before[i] ~= entry then redis.call('ZREM', KEYS[1], before[i]) end
end
-- Ids are random, so each entry is among the next few of some creation, and those whose time is over go.
local left = 8
for _, from in ipairs({ after, '-' }) do
  local near = redis.call('ZRANGE', KEYS[1], from, '+', 'BYLEX', 'LIMIT', 0, left)
  for i = 1, #near do
    if kept_until(near[i]) < clock then redis.call('ZREM', KEYS[1], near[i]) end
  end
  left = left - #near
  if left < 1 then break end
end
if clock + redis.call('PTTL', KEYS[1]) < til then
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', til))
end
return { clock, til, redis.call('ZLEXCOUNT', KEYS[1], '[\1', '(\2') }
