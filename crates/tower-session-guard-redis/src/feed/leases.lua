-- What the scripts of the leases have in common.
-- KEYS: the leases of a namespace: of each its name, until when it counts, and its mark. One key holds them all, so
-- that they stay together while their slot moves.
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local leases, has_lapsed = {}, false
-- GETEX counts as a write: a replica refuses, and a server whose memory is full refuses only the first one of a script.
local held = redis.call('GETEX', KEYS[1]) or ''
for entry in string.gmatch(held, '[^ ]+') do
  local name, til, mark = string.match(entry, '^([^,]+),(%d+),(%x+)$')
  if not name then error('the leases are damaged') end
  if tonumber(til) > clock then
    leases[#leases + 1] = { name = name, til = tonumber(til), mark = mark }
  else
    has_lapsed = true
  end
end

local function write()
  if #leases == 0 then return redis.call('DEL', KEYS[1]) end
  local entries, longest = {}, 0
  for i, lease in ipairs(leases) do
    entries[i] = lease.name .. ',' .. string.format('%.0f', lease.til) .. ',' .. lease.mark
    longest = math.max(longest, lease.til)
  end
  redis.call('SET', KEYS[1], table.concat(entries, ' '), 'PXAT', string.format('%.0f', longest))
end
