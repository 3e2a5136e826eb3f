-- ARGV: family by name, E or S, until when. Ends a session; returns 1 if this call did, 0 if it had ended.
local family, how, til = ARGV[3], ARGV[4], tonumber(ARGV[5])
touch()
local entry = find(family)
if not has_room(entry and 0 or 1, true) then return { FULL, size() } end
if entry and entry.kind ~= 'L' then return { 0, size() } end
put(family, { kind = how, til = entry and entry.til }, til)
return { 1, size() }
