-- Reads the beginning of a record.
-- KEYS: the record, and a name that nothing has. ARGV: the number of the last byte.
local front = redis.call('GETRANGE', KEYS[1], 0, ARGV[1])
-- A write that changes nothing, so a replica refuses.
redis.call('DEL', KEYS[2])
return front
