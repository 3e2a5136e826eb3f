-- Raises a cut-off.
-- KEYS: the cut-off. ARGV: the new one, now, until when it must be remembered.
-- A cut-off is two times of 8 bytes, `at` and `until`, and a mark of 16.
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local new, now, til = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

-- Whether the time of 8 bytes at a place of `a` is later than that of `b`.
local function is_later(a, b, place)
  for i = place, place + 7 do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return false
end

-- GETEX counts as a write. A server whose memory is full refuses only the first one of a script, and an ending
-- is to be remembered.
local held = redis.call('GETEX', KEYS[1])
local raised = new
if held then
  if #held ~= 32 then error('a cut-off is damaged') end
  local latest, longest = new, new
  if is_later(held, new, 1) then latest = held end
  if is_later(held, new, 9) then longest = held end
  raised = string.sub(latest, 1, 8) .. string.sub(longest, 9, 16) .. string.sub(latest, 17)
end
-- A minute longer than either clock says, and never shorter than before.
local drop = math.max(til, clock + math.max(0, til - now)) + 60000
drop = math.max(drop, clock + redis.call('PTTL', KEYS[1]))
redis.call('SET', KEYS[1], raised, 'PXAT', string.format('%.0f', drop))
return 1
