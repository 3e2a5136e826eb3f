-- ARGV: its family by name and by its bytes, its id, when it was issued, R (renewed), B (bound) or U
-- (elevated), the successor's id, until when there is grace, until when the session lasts, its keys.
-- Puts a successor in the place of a token. Returns when it is to be issued, or -1 if nothing was replaced.
local family, id, how, successor = ARGV[3], ARGV[5], ARGV[7], ARGV[8]
local until_grace, til = tonumber(ARGV[9]), tonumber(ARGV[10])

local function remember(entry, old)
  if is_superseded(entry, old) then return end
  if #entry.superseded == 4 then
    table.remove(entry.superseded, 1)
    entry.forgot = true
  end
  table.insert(entry.superseded, old)
end

-- Whether this is our own entry: the answer to the first attempt was lost.
local function is_done(entry)
  if not entry or entry.kind ~= 'L' or entry.current ~= successor then return false end
  if how ~= 'U' then return entry.grace == id and entry.until_grace == until_grace end
  return entry.superseded[#entry.superseded] == id or entry.superseded[#entry.superseded - 1] == id
end

local function replace()
  local entry = find(family)
  local is_over = is_cut_off(11, ARGV[4], tonumber(ARGV[6]))
  if is_done(entry) and not is_over then return after_cutoffs(11) end
  if not has_room(entry and 0 or 1, false) then return FULL end
  if is_over then return -1 end
  local worth = standing(entry, id)
  if worth ~= CURRENT and (how ~= 'U' or worth ~= GRACE) then return -1 end
  entry = entry or { kind = 'L', current = id, superseded = {} }
  if entry.current == successor or id == successor then return -1 end
  -- A grace time that is cut short: a request under way may carry its token honestly.
  if entry.grace and now < entry.until_grace then remember(entry, entry.grace) end
  entry.grace, entry.until_grace = nil, nil
  if how ~= 'R' then remember(entry, entry.current) end
  if how ~= 'U' then entry.grace, entry.until_grace = entry.current, until_grace end
  if how == 'R' then entry.renewed = true end
  entry.current = successor
  put(family, entry, til)
  local issue = after_cutoffs(11)
  issuing(issue)
  return issue
end

local issue = replace()
touch()
return { issue, size() }
