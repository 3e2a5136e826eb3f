-- Adds a record to its subject's index, for longer than the record can live, and drops entries whose time
-- is over.
-- KEYS: the index. ARGV: the record's id, now, when the record expires at the latest.
-- Returns when the entry was made and until when it is kept.
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local now, expires = tonumber(ARGV[2]), tonumber(ARGV[3])
local til = math.max(expires, clock + math.max(0, expires - now)) + 3600000
-- The first write, so that a server whose memory is full refuses it.
redis.call('ZADD', KEYS[1], string.format('%.0f', til), ARGV[1] .. string.format('%.0f', clock))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', clock))
if clock + redis.call('PTTL', KEYS[1]) < til then
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', til))
end
return { clock, til }
