-- ARGV: id, owner, when it was issued, now, until. Ends what was issued to the owner but for this session;
-- returns 0 if the token no longer holds.
local id, owner, issued, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if is_cut_off(owner, id, issued) then return 0 end
local worth = status(id, now)
if worth == GRACE then
  id = find(id).successor
elseif worth ~= GOOD then
  return 0
end
cut_off(owner, id, now, tonumber(ARGV[5]))
return 1
