-- ARGV: id, owner, when it was issued, now. Returns 1 if it may be issued again now.
local id, owner, issued, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if is_cut_off(owner, id, issued) or status(id, now) ~= GOOD then return 0 end
issuing(now)
return 1
