-- Returns the names of the leases that count. One that does not is taken out, so that its node learns of it by its next
-- fence: an ending went by that.
if has_lapsed then write() end
local names = {}
for i, lease in ipairs(leases) do names[i] = lease.name end
return names
