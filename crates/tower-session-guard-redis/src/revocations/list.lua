-- What the scripts of the revocation list have in common.
-- KEYS: what the names of the list's keys begin with, all of them in its slot; and the name of a key that is never there.
-- ARGV: now, how many entries there may be, then the script's own.
-- An entry of a family is E (ended) or S (superseded) and until when it is kept; or L, until when, flags (1 there
-- is a grace time, 2 renewed, 4 one was forgotten), until when there is grace, for which id, the present id, and
-- up to four superseded ids; one that a binding replaced is among these in its grace time already. A cut-off is `at`, `until`, its mark, and the family that it spares, if any. Times have
-- 8 bytes, ids and marks 16. The sorted set `due` says when each entry goes.
-- Every script returns its answer and the number of entries; the answer -2 says that the list is full.
local base, now, max = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local due = base .. ':due'
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local CURRENT, GRACE, SUPERSEDED, REUSED, ENDED, CROSSING = 0, 1, 2, 3, 4, 5
local FULL = -2
local ZEROS = string.rep('\0', 16)

local function text(number) return string.format('%.0f', number) end

-- A write that changes nothing, so a replica refuses. After it a server whose memory is full takes others.
local function touch() redis.call('DEL', KEYS[2]) end

local function size() return redis.call('ZCOUNT', due, text(clock), '+inf') end

-- Whether there is room for more entries: endings have a sixteenth more.
local function has_room(more, is_ending)
  if is_ending then return size() + more <= max + math.floor(max / 16) end
  return size() + math.max(more, 1) <= max
end

-- Tells the nodes that hold copies of the list, if there are any. A shard's channel, since a cluster tells the others
-- late; Redis 6 has none and takes its place with an ordinary one.
local function tell(name, value)
  if redis.call('EXISTS', base .. ':lease') == 0 then return end
  local entry = name .. '\0' .. value
  local told = redis.pcall('SPUBLISH', base, entry)
  if type(told) ~= 'table' or not told.err then return end
  if not string.find(string.lower(told.err), 'unknown') then error(told.err) end
  redis.call('PUBLISH', base, entry)
end

-- Writes an entry, and drops some whose time is over. It stays a minute longer than either clock says.
local function keep(name, value, til)
  tell(name, value)
  local drop = text(math.max(til, clock + math.max(0, til - now)) + 60000)
  redis.call('SET', base .. ':' .. name, value, 'PXAT', drop)
  redis.call('ZADD', due, drop, name)
  if clock + redis.call('PTTL', due) < tonumber(drop) then redis.call('PEXPIREAT', due, drop) end
  local over = redis.call('ZRANGE', due, '-inf', '(' .. text(clock), 'BYSCORE', 'LIMIT', 0, 8)
  if #over > 0 then redis.call('ZREM', due, unpack(over)) end
end

local function find(family)
  local held = redis.call('GET', base .. ':' .. family)
  if not held then return nil end
  local kind = string.sub(held, 1, 1)
  if kind == 'E' or kind == 'S' then
    if #held ~= 9 then error('an entry of the revocation list is damaged') end
    return { kind = kind, til = (struct.unpack('>I8', held, 2)) }
  end
  if kind ~= 'L' or #held < 50 or (#held - 50) % 16 ~= 0 then
    error('an entry of the revocation list is damaged')
  end
  local til, flags, until_grace = struct.unpack('>I8BI8', held, 2)
  local entry = { kind = kind, til = til, superseded = {} }
  if flags % 2 == 1 then entry.grace, entry.until_grace = string.sub(held, 19, 34), until_grace end
  entry.renewed = flags % 4 >= 2
  entry.forgot = flags >= 4
  entry.current = string.sub(held, 35, 50)
  for i = 51, #held, 16 do table.insert(entry.superseded, string.sub(held, i, i + 15)) end
  return entry
end

local function put(family, entry, til)
  til = math.max(til, entry.til or 0)
  if entry.kind ~= 'L' then return keep(family, entry.kind .. struct.pack('>I8', til), til) end
  local flags = (entry.grace and 1 or 0) + (entry.renewed and 2 or 0) + (entry.forgot and 4 or 0)
  local value = 'L' .. struct.pack('>I8BI8', til, flags, entry.until_grace or 0)
  value = value .. (entry.grace or ZEROS) .. entry.current .. table.concat(entry.superseded)
  keep(family, value, til)
end

local function is_superseded(entry, id)
  for _, old in ipairs(entry.superseded) do
    if id == old then return true end
  end
  return false
end

-- What a token of a family is worth. The rules are those of a record's secrets.
local function standing(entry, id)
  if not entry then return CURRENT end
  if entry.kind == 'E' then return ENDED end
  if entry.kind == 'S' then return SUPERSEDED end
  if id == entry.current then return CURRENT end
  local was_superseded = is_superseded(entry, id)
  if id == entry.grace and now < entry.until_grace then return was_superseded and CROSSING or GRACE end
  if was_superseded or entry.forgot or not entry.renewed then return SUPERSEDED end
  return REUSED
end

local function opens(worth) return worth == CURRENT or worth == GRACE or worth == CROSSING end

local function cutoff(digest)
  local held = redis.call('GET', base .. ':of:' .. digest)
  if not held then return nil end
  if #held ~= 32 and #held ~= 48 then error('a cut-off of the revocation list is damaged') end
  local at, til = struct.unpack('>I8I8', held)
  return { at = at, til = til, mark = string.sub(held, 17, 32), spared = string.sub(held, 33) }
end

-- Whether a token ended with everything of one of its keys, whose digests begin at an argument.
local function is_cut_off(first, id, issued)
  for i = first, #ARGV do
    local cut = cutoff(ARGV[i])
    if cut and issued <= cut.at and cut.spared ~= id then return true end
  end
  return false
end

-- When a token under these keys may be issued.
local function after_cutoffs(first)
  local issue = now
  for i = first, #ARGV do
    local cut = cutoff(ARGV[i])
    if cut then issue = math.max(issue, cut.at + 1) end
  end
  return issue
end

-- Notes that a token is issued at this time, for a cut-off by a clock that is behind.
local function issuing(at)
  local key = base .. ':latest'
  local latest = tonumber(redis.call('GET', key) or '0')
  if at > latest then redis.call('SET', key, text(at), 'PX', '600000') end
end

-- Ends what was issued under a key until the cut-off, or up to almost a minute later by another clock.
local function raise(digest, at, til, mark, spared)
  touch()
  local before = cutoff(digest)
  if not has_room(before and 0 or 1, true) then return FULL end
  local latest = tonumber(redis.call('GET', base .. ':latest') or '0')
  local moved = math.max(at, math.min(latest, at + 59999))
  til = til + moved - at
  if before then
    til = math.max(til, before.til)
    if before.at > moved then moved, mark = before.at, before.mark end
  end
  keep('of:' .. digest, struct.pack('>I8I8', moved, til) .. mark .. spared, til)
  return 1
end
