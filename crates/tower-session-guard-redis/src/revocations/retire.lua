-- ARGV: id, how, successor, until when it has grace, until, now. Returns 1 if it was retired.
local grace, til, now = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
return retire(ARGV[1], ARGV[2], ARGV[3], grace, til, now) and 1 or 0
