-- What the scripts of the revocation list have in common.
-- KEYS: what the names of the list's keys begin with; all of them are in its slot.
-- An entry is "how at until grace successor": how a token was retired (E ended, S superseded, U elevated, R
-- renewed), when, when its session ends at the latest, until when it has grace, and its successor's id.
-- A cut-off is "at until spared". GETEX reads as a write command does, so a replica refuses it.
local base = KEYS[1]
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local GOOD, GRACE, SUPERSEDED, REUSED, ENDED = 0, 1, 2, 3, 4

local function text(number) return string.format('%.0f', number) end

-- A minute longer than either clock says.
local function keep(key, value, til, now)
  local drop = math.max(til, clock + math.max(0, til - now)) + 60000
  redis.call('SET', key, value, 'PXAT', text(drop))
end

local function find(id)
  local held = redis.call('GETEX', base .. ':' .. id)
  if not held then return nil end
  local how, at, til, grace, successor = string.match(held, '^([ESUR]) (%d+) (%d+) (%d+) (%S*)$')
  if not how then error('an entry of the revocation list is damaged') end
  return {
    how = how, at = tonumber(at), til = tonumber(til), grace = tonumber(grace), successor = successor,
  }
end

local function put(id, how, til, grace, successor, now)
  local before = find(id)
  if before then til = math.max(til, before.til) end
  local value = table.concat({ how, text(now), text(til), text(grace), successor }, ' ')
  keep(base .. ':' .. id, value, til, now)
end

local function status(id, now)
  local entry = find(id)
  if not entry then return GOOD end
  if entry.how == 'E' then return ENDED end
  if entry.how ~= 'R' then return SUPERSEDED end
  local following = find(entry.successor)
  if following and following.how == 'E' then return ENDED end
  -- The successor's own end cut the grace time short.
  if following and following.at < entry.grace then return SUPERSEDED end
  if not following and now < entry.grace then return GRACE end
  return REUSED
end

local function cutoff(owner)
  if owner == '' then return nil end
  local held = redis.call('GETEX', base .. ':of:' .. owner)
  if not held then return nil end
  local at, til, spared = string.match(held, '^(%d+) (%d+) (%S*)$')
  if not at then error('a cut-off of the revocation list is damaged') end
  return { at = tonumber(at), til = tonumber(til), spared = spared }
end

local function is_cut_off(owner, id, issued)
  local cut = cutoff(owner)
  return cut ~= nil and issued <= cut.at and cut.spared ~= id
end

-- When a token of this owner may be issued.
local function issue_time(owner, now)
  local cut = cutoff(owner)
  if cut then return math.max(now, cut.at + 1) end
  return now
end

-- Notes that a token is issued at this time, for a cut-off by a clock that is behind.
local function issuing(at)
  local key = base .. ':latest'
  local latest = tonumber(redis.call('GETEX', key) or '0')
  if at > latest then redis.call('SET', key, text(at), 'PX', '600000') end
end

-- Ends what was issued to an owner until now, or up to half a minute later by another clock.
local function cut_off(owner, spared, now, til)
  local latest = tonumber(redis.call('GETEX', base .. ':latest') or '0')
  local at = math.max(now, math.min(latest, now + 30000))
  til = til + at - now
  local before = cutoff(owner)
  if before then
    at = math.max(at, before.at)
    til = math.max(til, before.til)
  end
  keep(base .. ':of:' .. owner, table.concat({ text(at), text(til), spared }, ' '), til, now)
end

-- Returns whether it retired the token.
local function retire(id, how, successor, grace, til, now)
  issuing(now)
  if how == 'E' or how == 'S' then
    while true do
      local entry = find(id)
      if not entry then
        put(id, how, til, 0, '', now)
        return true
      end
      if entry.how == 'E' or entry.how == 'S' then return false end
      id = entry.successor
    end
  end
  local entry = find(id)
  -- Our own entry: the answer to the first attempt was lost.
  if entry and entry.how == how and entry.successor == successor then return true end
  if id == successor or find(successor) then return false end
  if entry then
    if how == 'R' or entry.how ~= 'R' or status(id, now) ~= GRACE then return false end
    -- First the one that a browser may hold by now: there are never two live tokens.
    put(entry.successor, how, til, grace, successor, now)
  end
  put(id, how, til, grace, successor, now)
  return true
end
