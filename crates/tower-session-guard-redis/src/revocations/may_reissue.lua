-- ARGV: its family by name and by its bytes, its id, when it was issued, its keys. Returns 1 if a token may be
-- issued again now.
local may = FULL
if has_room(0, false) then
  local is_current = standing(find(ARGV[3]), ARGV[5]) == CURRENT
  may = (is_current and not is_cut_off(7, ARGV[4], tonumber(ARGV[6]))) and 1 or 0
  if may == 1 then issuing(now) end
end
touch()
return { may, size() }
