-- id, now, interval, idle timeout or -1, milliseconds to keep a record beyond its end,
-- generation of the token that asks without its lower 28 bits, these, grace
local id, now, interval, idle = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local asks_high, asks_low, grace = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

-- `Touch::is_by_a_good_token`; false for a damaged record, too.
local function opens(record, found)
  local begin = found.at[6] + (byte_at(record, 1) == 2 and 1 or 0)
  local high, low, issued_at = varint(record, begin)
  local _, _, used_at = varint(record, issued_at)
  local used_high, used_low = varint(record, used_at)
  if not used_high then
    return false
  end
  -- Where the parts are far apart this is not exact, and far from 1.
  local ahead = (high - asks_high) * 268435456 + (low - asks_low)
  if ahead == 1 then
    local used = used_high * 268435456 + used_low -- 0 for never, or one more than a distance
    local by = used_low % 2 == 0 and -used / 2 or (used - 1) / 2
    return used == 0 or now < math.min(within_time(found.since + by) + grace, LAST)
  end
  return ahead < 1
end

-- The bytes of a number whose parts these are.
local function bytes_of(high, low)
  local bytes = {}
  repeat
    local more = high > 0 or low > 127
    bytes[#bytes + 1] = string.char(low % 128 + (more and 128 or 0))
    low, high = math.floor(low / 128) + high % 128 * 2097152, math.floor(high / 128)
  until not more
  return table.concat(bytes)
end

-- The bytes of a distance in time.
local function distance(from, to)
  local by = to < from and (from - to) * 2 - 1 or (to - from) * 2
  return bytes_of(math.floor(by / 268435456), by % 268435456)
end

-- The next version; nil when there is none (`SessionRecord::LAST`, 2^63 - 1), and then the record stays as it is.
local function counted(record, found)
  local high, low = varint(record, found.at[1])
  low = low + 1
  if low == 268435456 then
    high, low = high + 1, 0
  end
  return high < 34359738368 and bytes_of(high, low) or nil
end

-- Redis may have evicted the index: a session that is used takes its place in it again. This look also keeps the index
-- among what was used of late, so that sessions are not evicted after it.
local function relist(id, record, ttl)
  local subject, bucket = account(id, record)
  if not subject then
    return
  end
  local ids, listed = redis.call('HGET', bucket, subject) or '', string.sub(id, 2)
  local at = string.find(ids, listed, 1, true)
  while at and at % LISTED ~= 1 do
    at = string.find(ids, listed, at + 1, true)
  end
  if not at then
    write_ids(redis.call, bucket, subject, ids .. listed)
  end
  outlive_bucket(bucket, ttl)
end

local record = load(id)
local found = record and times(record)
if not record or found and found.ends <= now then
  return false
end
if not found or now < math.min(found.seen + interval, LAST) or not opens(record, found) then
  return record
end
local version = counted(record, found)
if not version then
  return record
end
local ends = found.expires
if idle >= 0 then
  ends = math.min(ends, now + idle)
end
local at = found.at
record = string.sub(record, 1, at[1] - 1) .. version .. string.sub(record, at[2], at[3] - 1)
  .. distance(found.since, now) .. string.sub(record, at[4], at[5] - 1) .. distance(found.expires, ends)
  .. string.sub(record, at[6])
local ttl = math.max(ends - now, 0) * 1000 + tonumber(ARGV[5])
relist(id, record, ttl)
redis.call('SET', session(id), record, 'PX', string.format('%.0f', ttl))
outlive(now, ttl)
return record
