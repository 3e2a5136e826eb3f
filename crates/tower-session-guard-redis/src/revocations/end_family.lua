-- ARGV: id, until, now. Ends the token's session and marks all its later tokens.
local id, til, now = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
while id do
  local entry = find(id)
  -- The session that a login put in its place is another one.
  if entry and (entry.how == 'E' or entry.how == 'S') then break end
  put(id, 'E', til, 0, '', now)
  id = entry and entry.successor
end
return 1
