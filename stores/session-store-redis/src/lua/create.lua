-- id, record, ttl, now, id to replace or '', its version or '', limit or -1, whether to evict, marks of the fence or ''
local id, record, ttl, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local replaced, required, most, evicts = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8] == '1'
local fence = ARGV[9]
local subject, bucket = account(id, record)
-- Every so many logins, by a byte that is random.
local TIDIES, LOOKED_AT, ACCOUNTS, OF_EACH = 8, 16, 16, 2

-- Whether the realm or the account was ended since the login began. What Redis has lost is not what it was.
local function overtaken()
  if fence == '' then
    return false
  end
  local found = redis.call('HMGET', marks, '', subject or '')
  local mark = subject and found[2] or ''
  return fence ~= (epoch or '') .. (found[1] or '') .. string.sub(mark, 1, 16)
end

-- What is wrong with the predecessor, if this version of it must be there.
local function objection(old)
  if required == '' then
    return nil
  end
  local found = old and times(old)
  if not old or found and found.ends <= now then
    return 'G'
  end
  return (not found or found.version ~= required) and 'C' or nil
end

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
  if most < 0 or #ids / LISTED < most or uncounted(record) then
    return evicted -- without a look at each: there are never more sessions that count than ids
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

-- Puts the session into the index of its account.
local function enlist(ids)
  local is_its_turn = byte_at(id, -1) % TIDIES == 0
  write_ids(redis.call, bucket, subject, (is_its_turn and tidy(ids, LOOKED_AT) or ids) .. string.sub(id, 2))
  outlive_bucket(bucket, ttl)
  if is_its_turn then
    tidy_others()
  end
end

local function begin_epoch()
  epoch = string.sub(id, -4) -- random, so that no epoch that was lost comes back
  held = epoch
end

local function end_replaced(old)
  redis.call('DEL', session(replaced))
  if old and account(replaced, old) ~= subject then
    unlist(replaced, old)
  end
end

-- An id that is taken is the first of several reasons.
local function refuse_or_taken(why)
  return refuse(load(id) and 'T' or why)
end

if overtaken() then
  return refuse_or_taken('O')
end
local old = replaced ~= '' and load(replaced)
local wrong = objection(old)
if wrong then
  return refuse_or_taken(wrong)
end
local ids = subject and redis.call('HGET', bucket, subject) or ''
local gone = { [replaced] = true }
local evicted = room(ids, gone)
if not evicted then
  return refuse_or_taken('L')
end
if (old or #evicted > 0) and load(id) then
  return refuse('T')
end

-- A login that ends a session makes room for itself. The new one comes first all the same, so that the old one is still
-- there if it is refused.
if old or #evicted > 0 then
  begin_to_write()
end
if not epoch then
  begin_epoch()
end
if not redis.call('SET', session(id), dated(record), 'PX', ARGV[3], 'NX') then
  if load(id) then
    return refuse('T')
  end
  redis.call('SET', session(id), dated(record), 'PX', ARGV[3]) -- what is of an earlier epoch is no session
end
outlive(now, ttl)
if subject then
  enlist(without(bucket, ids, gone))
end
for place = 1, #evicted do
  redis.call('DEL', session(evicted[place]))
end
if replaced ~= '' and replaced ~= id then
  end_replaced(old)
end
evicted = table.concat(evicted)
tell(evicted .. (old and replaced or ''))
return 'D' .. evicted
