-- ARGV: a lease's name, a mark for it, for how long it counts in milliseconds. Holds the lease, and returns its mark:
-- the old one if no ending has found since that it did not count.
local own
for _, lease in ipairs(leases) do
  if lease.name == ARGV[1] then own = lease end
end
if not own then
  own = { name = ARGV[1], til = 0, mark = ARGV[2] }
  leases[#leases + 1] = own
end
own.til = math.max(own.til, clock + tonumber(ARGV[3]))
write()
return own.mark
