-- ARGV: owner, now. Returns when a token of a new login is to be issued.
local issue = issue_time(ARGV[1], tonumber(ARGV[2]))
issuing(issue)
return issue
