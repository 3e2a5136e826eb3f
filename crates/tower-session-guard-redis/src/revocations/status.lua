-- ARGV: id, owner, when it was issued, now. Returns what the token is worth.
local id, owner, issued, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if is_cut_off(owner, id, issued) then return ENDED end
return status(id, now)
