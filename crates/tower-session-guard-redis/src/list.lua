-- Takes entries out of an index, drops those whose time is over, and returns the server's time and the
-- entries that are left.
-- KEYS: the index. ARGV: entries to take out.
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 1, #ARGV do redis.call('ZREM', KEYS[1], ARGV[i]) end
-- A write even where there is nothing to drop, so a replica refuses.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', clock))
return { clock, redis.call('ZRANGE', KEYS[1], 0, -1) }
