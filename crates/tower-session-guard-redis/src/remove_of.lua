-- Removes a record if it is this owner's.
-- KEYS: the record. ARGV: the owner. Returns 1 removed, 0 another owner's, -1 absent, -2 not ours to read.
local held = redis.call('GETEX', KEYS[1])
if not held then return -1 end
if #held < 49 or string.byte(held, 1) ~= 1 then return -2 end
if string.sub(held, 10, 25) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
