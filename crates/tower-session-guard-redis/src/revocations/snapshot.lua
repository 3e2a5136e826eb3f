-- ARGV: a cursor of ZSCAN, and how many entries to read or so. Returns the next cursor, 0 at the end, and of each entry
-- its name and its value.
touch()
local page = redis.call('ZSCAN', due, ARGV[3], 'COUNT', ARGV[4])
local entries = {}
for i = 1, #page[2], 2 do
  local value = redis.call('GET', base .. ':' .. page[2][i])
  if value then
    entries[#entries + 1] = page[2][i]
    entries[#entries + 1] = value
  end
end
return { page[1], entries }
