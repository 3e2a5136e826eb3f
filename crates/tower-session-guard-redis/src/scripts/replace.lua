-- Replaces a live record at one revision.
-- KEYS: the record. ARGV: the expected revision, the new value, now, when it expires, and a new listing
-- of 16 bytes or nothing.
-- Returns 1 replaced, 0 conflict, -1 gone, -2 not ours to read, -3 other keys, -4 or -5 the record, which counts
-- or does not, would outlive its index entries.
local held, value = redis.call('GET', KEYS[1]), ARGV[2]
-- GETEX reads as a write command does, so a replica refuses it and gives no answer of its own.
local function answer(outcome)
  redis.call('GETEX', KEYS[1])
  return outcome
end
if not held then return answer(-1) end
if #held < 35 or string.byte(held, 1) ~= 2 then return answer(-2) end
local function number(from)
  local n = 0
  for i = from, from + 7 do n = n * 256 + string.byte(held, i) end
  return n
end
local now, expires = tonumber(ARGV[3]), tonumber(ARGV[4])
local revision = string.sub(held, 2, 9)
-- Our own value: the answer to the first attempt was lost.
if revision == string.sub(value, 2, 9) then return answer(1) end
if number(10) <= now then return answer(-1) end
if revision ~= ARGV[1] then return answer(0) end
local keys = 35 + 16 * string.byte(held, 35)
if string.sub(held, 35, keys) ~= string.sub(value, 35, keys) then return answer(-3) end
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local drop = math.max(expires, clock + math.max(0, expires - now)) + 60000
-- When it was listed, until when, and whether it counts.
local listing = string.sub(held, 18, 34)
if ARGV[5] ~= '' then
  listing = ARGV[5] .. string.sub(held, 34, 34)
elseif number(18) > 0 and drop + 600000 > number(26) then
  return answer(string.byte(held, 34) == 1 and -4 or -5)
end
value = string.sub(value, 1, 17) .. listing .. string.sub(value, 35)
-- A server whose memory is full refuses a script's first write if it may take more: what is no larger than
-- before comes second.
if #value <= #held then redis.call('GETEX', KEYS[1]) end
redis.call('SET', KEYS[1], value, 'PXAT', string.format('%.0f', drop))
return 1
