-- KEYS[1] names the shard of a realm and holds its epoch. Every other key is made from it, so all are in its slot.
-- An id here is that of a session without its first byte, which names the shard. Its own first byte names the bucket, and
-- is left out where a bucket lists it: 64 bytes, four sessions, are the longest that Redis packs tightly.
local LISTED = 16
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

-- How long the header of a record is, in the layouts that these scripts know (record/mod.rs has them).
local HEADERS = { 36, 37 }

local function header(record)
  return HEADERS[string.byte(record, 1)]
end

-- Whether this version of the scripts knows what the bytes mean.
local function known(record)
  local length = header(record)
  return length and #record >= length
end

-- Whether a session does not count towards the limit of its account.
local function uncounted(record)
  return known(record) and header(record) == 37 and string.byte(record, 37) == 1
end

-- 9999-12-31T23:59:59Z: what is later is taken for it, as in Rust.
local LAST = 253402300799

local function time(record, at)
  return math.min((struct.unpack('>I5', record, at)), LAST)
end

-- A record of a later version of this crate ends when Redis says so.
local function ends_at(record)
  return known(record) and time(record, 29) or math.huge
end

-- The subject, empty for a guest, and where the rest of the record begins; nil if the record is damaged.
local function subject_in(record)
  local length, place = struct.unpack('>I1I2', record, 34)
  local body = header(record) + 1
  local from = place > 0 and #record - place + 1 or body
  if from >= body and from + length - 1 <= #record then
    return string.sub(record, from, from + length - 1), place > 0 and body or body + length
  end
end

-- The accounts of a shard share 64 hashes.
local function bucket_of(id)
  return base .. '#' .. string.sub(id, 1, 1)
end

-- The subject and the key of the bucket that lists its sessions; nil for a guest.
local function account(id, record)
  local subject = known(record) and subject_in(record)
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
local shard = string.char(string.byte(base, -3) % 16 * 16 + string.byte(base, -2) % 16)

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
