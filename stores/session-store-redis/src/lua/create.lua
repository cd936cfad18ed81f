-- id, record, ttl, now, id to replace or '', its version or '', limit or -1, whether to evict
local id, record, ttl, now, replaced = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local most, evicts = tonumber(ARGV[7]), ARGV[8] == '1'

if load(id) then
  return refuse('T')
end
local old = replaced ~= '' and load(replaced)
if ARGV[6] ~= '' then
  if not old or ends_at(old) <= now then
    return refuse('G')
  end
  if string.sub(old, 6, 13) ~= ARGV[6] then
    return refuse('C')
  end
end

-- Takes dead ids out, two of an account at a time and in turn, so that no index grows with the dead.
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

local function seniority(other, loaded)
  if known(loaded) then
    return { other, time(loaded, 19), time(loaded, 14) }
  end
  return { other, 0, 0 }
end

local function leaves_first(a, b)
  if a[2] ~= b[2] then
    return a[2] < b[2]
  end
  if a[3] ~= b[3] then
    return a[3] < b[3]
  end
  return a[1] < b[1]
end

local subject, bucket = account(record)
local ids = subject and redis.call('HGET', bucket, subject) or ''
local gone, evicted = { [replaced] = true }, {}

if most >= 0 and #ids / 16 >= most then
  local living = {}
  for at = 1, #ids, 16 do
    local other = string.sub(ids, at, at + 15)
    local loaded = not gone[other] and load(other)
    if not loaded then
      gone[other] = true
    elseif now < ends_at(loaded) then
      living[#living + 1] = seniority(other, loaded)
    end
  end
  local excess = #living + 1 - most
  if excess > 0 then
    if not evicts then
      return refuse('L')
    end
    table.sort(living, leaves_first)
    for place = 1, math.min(excess, #living) do
      evicted[place] = living[place][1]
      gone[evicted[place]] = true
    end
  end
end

-- Asked before anything is written: who lacks the permission must not find a session stored.
local others = subject and redis.call('HRANDFIELD', bucket, 2, 'WITHVALUES')

-- A login that ends a session makes room for itself. The new one comes first all the same, so that the old one is still
-- there if it is refused: Redis lets a script that has begun to write go on without memory, and to delete nothing is a
-- beginning.
if old or #evicted > 0 then
  redis.call('DEL', session(''))
end
if not epoch then
  epoch = string.sub(id, 1, 4) -- random, so that no epoch that was lost comes back
  redis.call('SET', base, epoch, 'PX', ttl)
end
store(id, record, ttl)
if subject then
  write_ids(redis.call, bucket, subject, tidy(without(ids, gone)) .. id)
  outlive(bucket, ttl)
  for at = 1, #others, 2 do
    local before = others[at + 1]
    local after = tidy(before)
    if #after < #before and others[at] ~= subject then
      write_ids(redis.call, bucket, others[at], after)
    end
  end
end
for place = 1, #evicted do
  redis.call('DEL', session(evicted[place]))
end
if replaced ~= '' and replaced ~= id then
  redis.call('DEL', session(replaced))
  if old and account(old) ~= subject then
    unlist(replaced, old)
  end
end
evicted = table.concat(evicted)
tell(evicted .. (old and replaced or ''))
return 'D' .. evicted
