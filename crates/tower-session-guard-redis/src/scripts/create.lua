-- Writes a record where nothing is.
-- KEYS: the record. ARGV: its value, now, when it expires, when it was listed, until when it is listed.
-- Returns 1 created, 0 occupied, -1 too late for its index entries.
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local now, expires = tonumber(ARGV[2]), tonumber(ARGV[3])
local listed_at, listed_until = tonumber(ARGV[4]), tonumber(ARGV[5])
-- A minute longer than either clock says: expiry is decided by whoever reads.
local drop = math.max(expires, clock + math.max(0, expires - now)) + 60000
if listed_at > 0 and (clock > listed_at + 300000 or drop + 600000 > listed_until) then return -1 end
-- The first write, so that a server whose memory is full refuses it.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PXAT', string.format('%.0f', drop)) then return 1 end
local held = redis.call('GET', KEYS[1])
-- Our own value: the answer to the first attempt was lost.
if held and string.sub(held, 1, 9) == string.sub(ARGV[1], 1, 9) then return 1 end
return 0
