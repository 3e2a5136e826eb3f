-- Removes a record, whatever is in it.
-- KEYS: the record. ARGV: nothing, or the digest of a key that it must have; and 1 if the key's index lists it.
-- Returns what stands in front of the record, 0 if there is none or it has not that key, or -2 if it is not ours
-- to read and no index lists it.
local digest = ARGV[1]
local front = redis.call('GETRANGE', KEYS[1], 0, 34)
if #front == 0 then
  -- A write that changes nothing, so a replica refuses.
  redis.call('DEL', KEYS[1])
  return 0
end
local is_ours = #front == 35 and string.byte(front, 1) == 2
if is_ours then
  local count = string.byte(front, 35)
  front = redis.call('GETRANGE', KEYS[1], 0, 34 + 16 * count)
  if digest ~= '' then
    local has = false
    for i = 1, count do
      if string.sub(front, 20 + 16 * i, 35 + 16 * i) == digest then has = true end
    end
    if not has then
      redis.call('GETEX', KEYS[1])
      return 0
    end
  end
elseif digest ~= '' and ARGV[2] ~= '1' then
  redis.call('GETEX', KEYS[1])
  return -2
end
redis.call('DEL', KEYS[1])
return front
