-- Reads some entries of an index, and drops those among them whose time is over.
-- KEYS: the index. ARGV: the place after which to begin, or nothing, and how many entries to read.
-- Returns the server's time, the place of the last one if others may follow, and the entries.
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local from = '-'
if ARGV[1] ~= '' then from = '(' .. ARGV[1] .. '\255' end
local read = redis.call('ZRANGE', KEYS[1], from, '+', 'BYLEX', 'LIMIT', 0, ARGV[2])
local entries, last = {}, ''
for i = 1, #read do
  if #read[i] == 33 and (struct.unpack('>I8', read[i], 26)) < clock then
    redis.call('ZREM', KEYS[1], read[i])
  else
    entries[#entries + 1] = read[i]
  end
end
if #read == tonumber(ARGV[2]) then last = string.sub(read[#read], 1, 17) end
-- A write even where there is nothing to drop, so a replica refuses.
redis.call('ZREM', KEYS[1], '')
return { clock, last, entries }
