-- ARGV: id, how, successor, until when it has grace, until, now, owner, when it was issued. Returns when the
-- successor is to be issued, or -1 if nothing was retired.
local grace, til, now = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if is_cut_off(ARGV[7], ARGV[1], tonumber(ARGV[8])) then return -1 end
if not retire(ARGV[1], ARGV[2], ARGV[3], grace, til, now) then return -1 end
local issue = issue_time(ARGV[7], now)
issuing(issue)
return issue
