-- ARGV: owner, now, until. Ends what was issued to the owner.
cut_off(ARGV[1], '', tonumber(ARGV[2]), tonumber(ARGV[3]))
return 1
