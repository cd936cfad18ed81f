-- id, now, interval, idle timeout or -1, milliseconds to keep a record beyond its end,
-- generation of the token that asks without its lower 28 bits, these, grace
local id, now, interval, idle = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local asks_high, asks_low, grace = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

-- A number of variable length without its lower 28 bits, and these: Lua counts in doubles, which hold both parts and not
-- the whole. And where the next number begins. nil if the record is damaged.
local function varint(record, at)
  local high, low = 0, 0
  for place = 0, 9 do
    local byte = at and string.byte(record, at + place)
    if not byte then
      return nil
    end
    if place < 4 then
      low = low + byte % 128 * 128 ^ place
    else
      high = high + byte % 128 * 128 ^ (place - 4)
    end
    if byte < 128 and high < 68719476736 then
      return { high = high, low = low }, at + place + 1
    end
  end
end

-- An optional time as record.rs writes it: 0 for none, or one more than the distance, whose odd numbers lead backwards.
local function optional_time(from, number)
  local written = number.high * 268435456 + number.low
  if written > 0 then
    local by = number.low % 2 == 0 and -written / 2 or (written - 1) / 2
    return math.max(0, math.min(from + by, LAST))
  end
end

-- `Touch::is_by_a_good_token`; false for a damaged record, too.
local function opens(record)
  local _, body = subject_in(record)
  local generation, issued_at = varint(record, body)
  local _, used_at = varint(record, issued_at)
  local first_used = varint(record, used_at)
  if not first_used then
    return false
  end
  -- Where the parts are far apart this is not exact, and far from 1.
  local ahead = (generation.high - asks_high) * 268435456 + (generation.low - asks_low)
  if ahead == 1 then
    local used = optional_time(time(record, 14), first_used)
    return not used or now < math.min(used + grace, LAST)
  end
  return ahead < 1
end

-- The next version; nil when there is none (`SessionRecord::LAST`, 2^63 - 1), and then the record stays as it is.
local function counted(record)
  local high, low = struct.unpack('>I4I4', record, 6)
  low = low + 1
  if low == 4294967296 then
    high, low = high + 1, 0
  end
  return high < 2147483648 and struct.pack('>I4I4', high, low) or nil
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
if not record or ends_at(record) <= now then
  return false
end
if not known(record) or now < math.min(time(record, 19) + interval, LAST) or not opens(record) then
  return record
end
local version = counted(record)
if not version then
  return record
end
local ends = time(record, 24)
if idle >= 0 then
  ends = math.min(ends, now + idle)
end
record = string.sub(record, 1, 5) .. version .. string.sub(record, 14, 18) .. struct.pack('>I5', now)
  .. string.sub(record, 24, 28) .. struct.pack('>I5', ends) .. string.sub(record, 34)
local ttl = math.max(ends - now, 0) * 1000 + tonumber(ARGV[5])
relist(id, record, ttl)
redis.call('SET', session(id), record, 'PX', string.format('%.0f', ttl))
outlive(now, ttl)
return record
