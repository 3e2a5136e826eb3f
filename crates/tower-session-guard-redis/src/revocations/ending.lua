-- ARGV: its family by name and by its bytes, its id, when it was issued, its keys. Returns how the session of a token
-- ended, whatever its token is by now: 4 or 2, and 0 while it goes on.
touch()
if is_cut_off(7, ARGV[4], tonumber(ARGV[6])) then return { ENDED, size() } end
local entry = find(ARGV[3])
if not entry or entry.kind == 'L' then return { CURRENT, size() } end
return { standing(entry, ARGV[5]), size() }
