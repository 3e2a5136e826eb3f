-- ARGV: when the login was admitted, its mark, its keys. Returns when a token of the login is to be issued, or -1
-- if the login ended while it was under way.
local admitted, mark = tonumber(ARGV[3]), ARGV[4]

-- Whether a cut-off ends the login: by the sequence of its own process, else by the clocks.
local function has_ended(cut)
  if string.sub(cut.mark, 1, 8) ~= string.sub(mark, 1, 8) then return admitted <= cut.at end
  for i = 9, 16 do
    local own, later = string.byte(mark, i), string.byte(cut.mark, i)
    if own ~= later then return own < later end
  end
  return false
end

local function issue()
  if not has_room(0, false) then return FULL end
  for i = 5, #ARGV do
    local cut = cutoff(ARGV[i])
    if cut and has_ended(cut) then return -1 end
  end
  local at = after_cutoffs(5)
  issuing(at)
  return at
end

local at = issue()
touch()
return { at, size() }
