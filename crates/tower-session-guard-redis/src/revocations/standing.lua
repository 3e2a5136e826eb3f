-- ARGV: its family by name and by its bytes, its id, when it was issued, its keys. Returns what a token is worth.
touch()
if is_cut_off(7, ARGV[4], tonumber(ARGV[6])) then return { ENDED, size() } end
return { standing(find(ARGV[3]), ARGV[5]), size() }
