-- id, record, ttl, now, id to replace or '', its version or '', limit or -1, whether to evict, marks of the fence or ''
local id, record, ttl, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local replaced, required, most, evicts = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8] == '1'
local fence = ARGV[9]
local subject, bucket = account(record)

-- Whether the realm or the account was ended since the login began. What Redis has lost is not what it was.
local function overtaken()
  if fence == '' then
    return false
  end
  local realm = (epoch or '') .. (redis.call('HGET', marks, '') or '')
  local mark = subject and redis.call('HGET', marks, subject) or ''
  return fence ~= realm .. string.sub(mark, 1, 16)
end

-- What is wrong with the predecessor, if this version of it must be there.
local function objection(old)
  if required == '' then
    return nil
  end
  if not old or ends_at(old) <= now then
    return 'G'
  end
  return string.sub(old, 6, 13) ~= required and 'C' or nil
end

-- Of a record that these scripts do not know nothing is known: it leaves first.
local function seniority(other, loaded)
  if known(loaded) then
    return { id = other, seen = time(loaded, 19), since = time(loaded, 14) }
  end
  return { id = other, seen = 0, since = 0 }
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
  for at = 1, #ids, 16 do
    local other = string.sub(ids, at, at + 15)
    local loaded = not gone[other] and load(other)
    if not loaded then
      gone[other] = true
    elseif now < ends_at(loaded) and not uncounted(loaded) then
      found[#found + 1] = seniority(other, loaded)
    end
  end
  return found
end

-- The ids of those that make room for the new session, which are then `gone`; nil if it has no room.
local function room(ids, gone)
  local evicted = {}
  if most < 0 or #ids / 16 < most or uncounted(record) then
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

-- An index without the dead of its first two ids; those that live go to its end, so that all get their turn.
local function tidy(ids)
  local kept = {}
  for at = 1, math.min(#ids, 32), 16 do
    local other = string.sub(ids, at, at + 15)
    if load(other) then
      kept[#kept + 1] = other
    end
  end
  return string.sub(ids, 33) .. table.concat(kept)
end

-- Puts the session into the index of its account, and tidies two other accounts so that no index grows with the dead.
local function enlist(ids, others)
  write_ids(redis.call, bucket, subject, tidy(ids) .. id)
  outlive(bucket, ttl)
  for at = 1, #others, 2 do
    local before = others[at + 1]
    local after = tidy(before)
    if #after < #before and others[at] ~= subject then
      write_ids(redis.call, bucket, others[at], after)
    end
  end
end

local function begin_epoch()
  epoch = string.sub(id, 1, 4) -- random, so that no epoch that was lost comes back
  redis.call('SET', base, epoch, 'PX', ttl)
end

local function end_replaced(old)
  redis.call('DEL', session(replaced))
  if old and account(old) ~= subject then
    unlist(replaced, old)
  end
end

if load(id) then
  return refuse('T')
end
if overtaken() then
  return refuse('O')
end
local old = replaced ~= '' and load(replaced)
local wrong = objection(old)
if wrong then
  return refuse(wrong)
end
local ids = subject and redis.call('HGET', bucket, subject) or ''
local gone = { [replaced] = true }
local evicted = room(ids, gone)
if not evicted then
  return refuse('L')
end
-- Asked before anything is written: who lacks the permission must not find a session stored.
local others = subject and redis.call('HRANDFIELD', bucket, 2, 'WITHVALUES')

-- A login that ends a session makes room for itself. The new one comes first all the same, so that the old one is still
-- there if it is refused.
if old or #evicted > 0 then
  begin_to_write()
end
if not epoch then
  begin_epoch()
end
store(id, record, ttl)
if subject then
  enlist(without(ids, gone), others)
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
