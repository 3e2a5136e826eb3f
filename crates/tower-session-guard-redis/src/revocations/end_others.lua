-- ARGV: its family by name and by its bytes, its id, when it was issued, a key, `at` and `until` of the cut-off,
-- its mark, the token's keys. Ends what was issued under the key but for the token's session; returns 0 if the
-- token no longer opens it.
touch()
local worth = standing(find(ARGV[3]), ARGV[5])
if is_cut_off(11, ARGV[4], tonumber(ARGV[6])) or not opens(worth) then return { 0, size() } end
return { raise(ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10], ARGV[4]), size() }
