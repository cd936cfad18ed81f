-- when it was proven, until when it is marked or '', how long that mark lives
local proven, marked_until, mark_ttl = tonumber(ARGV[7]), ARGV[8], ARGV[9]
local mark = base .. '~' .. id

-- Whether a bar stands against what was proven then. What is none was not written by these scripts.
local function stops(bar)
  return bar and #bar == 10 and now < struct.unpack('>I5', bar, 6) and proven <= struct.unpack('>I5', bar)
end

-- Whether this session was adopted before, or is stopped by a bar of the realm or of its account.
local function is_barred()
  local before = redis.call('GET', mark)
  if before and now < (tonumber(before) or math.huge) then
    return true
  end
  local found = redis.call('HMGET', base .. '^', '', subject or '')
  return stops(found[1]) or stops(found[2])
end

-- One that is over, and that Redis has not removed yet, hides no mark: it has gone.
local there = load(id)
if there and now < ends_at(there) then
  return refuse('T')
end
if is_barred() then
  return refuse('B')
end
if there then
  return refuse('T')
end
local ids, gone = subject and redis.call('HGET', bucket, subject) or '', {}
local evicted = room(ids, gone)
if not evicted then
  return refuse('L')
end
-- As a login that ends a session does.
if #evicted > 0 then
  begin_to_write()
end
-- Nothing is rolled back: a mark without its session keeps somebody out, and a session without its mark comes back.
if marked_until ~= '' then
  redis.call('SET', mark, marked_until, 'PX', mark_ttl)
end
add(ids, gone, evicted)
evicted = table.concat(evicted)
tell(evicted)
return 'D' .. evicted
