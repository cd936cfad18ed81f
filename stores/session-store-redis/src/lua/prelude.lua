-- KEYS[1] names the shard of a realm and holds its epoch. Every other key is made from it, so all are in its slot.
-- An id here is that of a session without its first byte, which names the shard. Its own first byte names the bucket, and
-- is left out where a bucket lists it: 64 bytes, four sessions, are the longest that Redis packs tightly.
local LISTED = 16
local byte_at = string.byte -- at hand: numbers are read byte by byte
local base = KEYS[1]
local held = redis.call('GET', base)
local epoch = held and string.sub(held, 1, 4)

-- Who was revoked of late: by subject a mark of 16 bytes, and when it was set; under the empty name 12 random bytes that
-- tell this hash from one that came after it was lost.
local marks = base .. '!'

local function session(id)
  return base .. id
end

-- Redis lets a script that has begun to write go on without memory, and to delete nothing is a beginning. It is also how
-- a replica finds out that it must not answer.
local function begin_to_write()
  redis.call('DEL', base .. '-')
end

-- The record of a session. What is of an earlier epoch, or no record at all, is no session.
local function load(id)
  local record = epoch and redis.call('GET', session(id))
  if record and string.sub(record, 2, 5) == epoch then
    return record
  end
end

-- Whether this version of the scripts knows what the bytes mean (record/mod.rs says it).
local function known(record)
  local layout = byte_at(record, 1)
  return layout == 1 or layout == 2
end

-- The subject, empty for a guest, and where the numbers behind it begin; nil if the record is damaged.
local function subject_in(record)
  local length, place, low = byte_at(record, 6, 8)
  local body = 8
  if place and place >= 128 then
    place, body = low and (place - 128) * 256 + low, 9
  end
  if not place then
    return nil
  end
  local from = place > 0 and #record - place + 1 or body
  if from >= body and from + length - 1 <= #record then
    return string.sub(record, from, from + length - 1), place > 0 and body or body + length
  end
end

-- What the bits of each byte of a number are worth, within its upper or lower part.
local WORTH = { [0] = 1, 128, 16384, 2097152, 1, 128, 16384, 2097152, 268435456, 34359738368 }

-- A number of variable length without its lower 28 bits, and these: Lua counts in doubles, which hold both parts and not
-- always the whole. And where the next number begins. nil if the record is damaged.
local function varint(record, at)
  local first = at and byte_at(record, at)
  if first and first < 128 then
    return 0, first, at + 1 -- as most are
  end
  local high, low = 0, 0
  for place = 0, 9 do
    local byte = at and byte_at(record, at + place)
    if not byte then
      return nil
    end
    if place < 4 then
      low = low + byte % 128 * WORTH[place]
    else
      high = high + byte % 128 * WORTH[place]
    end
    if byte < 128 and high < 68719476736 then
      return high, low, at + place + 1
    end
  end
end

-- 9999-12-31T23:59:59Z: what is later is taken for it, as in Rust.
local LAST = 253402300799

local function within_time(seconds)
  return math.max(0, math.min(seconds, LAST))
end

-- The distance that a number stands for: odd ones lead backwards.
local function distance_in(high, low)
  local number = high * 268435456 + low
  return low % 2 == 0 and number / 2 or -(number + 1) / 2
end

-- The times of a record, and where it has its version and what follows it; nil if the record is damaged, or of a later
-- version of this crate.
local function times(record)
  local _, version_at = subject_in(record)
  local _, _, since_at = varint(record, known(record) and version_at)
  local since_high, since_low, seen_at = varint(record, since_at)
  local seen_high, seen_low, expires_at = varint(record, seen_at)
  local expires_high, expires_low, ends_at = varint(record, expires_at)
  local ends_high, ends_low, behind = varint(record, ends_at)
  if not ends_high then
    return nil
  end
  local since = within_time(since_high * 268435456 + since_low)
  local expires = within_time(since + distance_in(expires_high, expires_low))
  return {
    since = since,
    seen = within_time(since + distance_in(seen_high, seen_low)),
    expires = expires,
    ends = within_time(expires + distance_in(ends_high, ends_low)),
    version = string.sub(record, version_at, since_at - 1),
    at = { version_at, since_at, seen_at, expires_at, ends_at, behind },
  }
end

-- A record that is damaged, or of a later version of this crate, ends when Redis says so.
local function ends_at(record)
  local found = times(record)
  return found and found.ends or math.huge
end

-- The accounts of a shard share 64 hashes.
local function bucket_of(id)
  return base .. '#' .. string.sub(id, 1, 1)
end

-- The subject and the key of the bucket that lists its sessions; nil for a guest.
local function account(id, record)
  local subject = known(record) and subject_in(record) or nil
  if subject and subject ~= '' then
    return subject, bucket_of(id)
  end
end

-- The index of an account is a string of ids in no order: at most `most` of them, from the first one on.
local function ids_in(bucket, ids, most)
  local found, first = {}, string.sub(bucket, -1)
  for at = 1, math.min(#ids, (most or math.huge) * LISTED), LISTED do
    found[#found + 1] = first .. string.sub(ids, at, at + LISTED - 1)
  end
  return found
end

-- The string of those ids that `stays` says yes to.
local function list_of(ids, stays)
  local kept = {}
  for place = 1, #ids do
    if stays(ids[place]) then
      kept[#kept + 1] = string.sub(ids[place], 2)
    end
  end
  return table.concat(kept)
end

local function without(bucket, ids, gone)
  return list_of(ids_in(bucket, ids), function(id)
    return not gone[id]
  end)
end

-- `call` is redis.call, or redis.pcall where sessions were ended: an id that stays in the index leads nowhere, so
-- whether the index can be written must not decide whether a session ends.
local function write_ids(call, bucket, subject, ids)
  if ids == '' then
    call('HDEL', bucket, subject)
  else
    call('HSET', bucket, subject, ids)
  end
end

-- Takes a session that was deleted out of its account's index. To delete comes first: Redis lets a script that has begun
-- to write go on when memory, replicas or the disk fail, and to delete is allowed when there is no memory.
local function unlist(id, record)
  local subject, bucket = account(id, record)
  local ids = subject and redis.pcall('HGET', bucket, subject)
  if type(ids) == 'string' then
    write_ids(redis.pcall, bucket, subject, without(bucket, ids, { [id] = true }))
  end
end

-- The byte that all ids of this shard begin with.
local shard = string.char(byte_at(base, -3) % 16 * 16 + byte_at(base, -2) % 16)

-- Tells who listens to the realm. Whether that is allowed or works must not decide whether a session ends.
local function tell(ended)
  if ended ~= '' then
    redis.pcall('PUBLISH', string.sub(base, 1, -5) .. '}', shard .. ended)
  end
end

-- What is refused changes nothing, but a replica must not refuse it: it may not know.
local function refuse(why)
  begin_to_write()
  return why
end

-- Nothing is without a time to live, and what a session needs lives longer than it does: it is renewed for twice as long
-- as needed, so that a login seldom has to. How long the epoch lives is written beside it, and nobody asks; as clocks may
-- differ, half as much again must be left.
local function milliseconds(ttl)
  return string.format('%.0f', ttl * 2)
end

local function outlive(now, ttl)
  local lasts = #held == 9 and struct.unpack('>I5', held, 5) >= math.min(now + ttl * 1.5 / 1000, LAST)
  if not lasts then
    held = epoch .. struct.pack('>I5', math.min(math.floor(now + ttl * 2 / 1000), LAST))
    redis.call('SET', base, held, 'PX', milliseconds(ttl))
  end
end

local function outlive_bucket(bucket, ttl)
  if redis.call('PTTL', bucket) < ttl then
    redis.call('PEXPIRE', bucket, milliseconds(ttl))
  end
end

-- A record with the epoch in its place.
local function dated(record)
  return string.sub(record, 1, 1) .. epoch .. string.sub(record, 6)
end
