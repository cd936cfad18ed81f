-- What a login and the adoption of a foreign session have in common where somebody must make room, or it is time to tidy.
local LOOKED_AT, ACCOUNTS, OF_EACH = 8, 16, 2

-- Of a record that these scripts do not know nothing is known: it leaves first.
local UNKNOWN = { seen = 0, since = 0, ends = math.huge }

-- Whether a session does not count towards the limit of its account.
local function uncounted(loaded)
  local found = byte_at(loaded, 1) == 2 and times(loaded)
  return found and byte_at(loaded, found.at[6]) == 1
end

local function leaves_first(a, b)
  if a.seen ~= b.seen then
    return a.seen < b.seen
  end
  if a.since ~= b.since then
    return a.since < b.since
  end
  return a.id < b.id
end

-- The sessions that count against the limit. Ids that lead nowhere are taken down as `gone`.
local function living(ids, gone)
  local found = {}
  local others = ids_in(bucket, ids)
  for place = 1, #others do
    local other = others[place]
    local loaded = not gone[other] and load(other)
    local read = loaded and (times(loaded) or UNKNOWN)
    if not read then
      gone[other] = true
    elseif now < read.ends and not uncounted(loaded) then
      found[#found + 1] = { id = other, seen = read.seen, since = read.since }
    end
  end
  return found
end

-- The ids of those that make room for the new session, which are then `gone`; nil if it has no room.
local function room(ids, gone)
  local evicted = {}
  if has_room(ids) or uncounted(record) then
    return evicted -- without a look at each
  end
  local others = living(ids, gone)
  local excess = #others + 1 - most
  if excess <= 0 then
    return evicted
  end
  if not evicts then
    return nil
  end
  table.sort(others, leaves_first)
  for place = 1, math.min(excess, #others) do
    evicted[place] = others[place].id
    gone[evicted[place]] = true
  end
  return evicted
end

-- An index without the dead of its first ids; those that live go to its end, so that all get their turn.
local function tidy(ids, most)
  return string.sub(ids, most * LISTED + 1) .. list_of(ids_in(bucket, ids, most), load)
end

-- So that no index grows with the dead: other accounts of the bucket, two for each login. None of it must fail a login.
local function tidy_others()
  local others = redis.pcall('HRANDFIELD', bucket, ACCOUNTS, 'WITHVALUES')
  for at = 1, others.err and 0 or #others, 2 do
    local name, before = others[at], others[at + 1]
    local after = name ~= subject and tidy(before, OF_EACH)
    if after and #after < #before then
      write_ids(redis.pcall, bucket, name, after)
    end
  end
end

-- Makes the session, whose index is `ids` without those that are `gone`, and ends those that are evicted for it. The new
-- one comes first, so that they are still there if it is refused. false if its id is taken.
local function add(ids, gone, evicted)
  if not put() then
    return false
  end
  if subject then
    local others = without(bucket, ids, gone)
    enlist(is_tidying and tidy(others, LOOKED_AT) or others)
    if is_tidying then
      tidy_others()
    end
  end
  for place = 1, #evicted do
    redis.call('DEL', session(evicted[place]))
  end
  return true
end

