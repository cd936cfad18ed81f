-- KEYS[1] names the realm and holds its epoch. Every other key is made from it, so all are in its slot.
local base = KEYS[1]
local epoch = redis.call('GET', base)

-- Who was revoked of late: by subject a mark of 16 bytes, and when it was set; under the empty name 12 random bytes that
-- tell this hash from one that came after it was lost.
local marks = base .. '!'

local function session(id)
  return base .. '.' .. id
end

-- Redis lets a script that has begun to write go on without memory, and to delete nothing is a beginning. It is also how
-- a replica finds out that it must not answer.
local function begin_to_write()
  redis.call('DEL', session(''))
end

-- The record of a session. What is of an earlier epoch, or no record at all, is no session.
local function load(id)
  local record = epoch and redis.call('GET', session(id))
  if record and string.sub(record, 2, 5) == epoch then
    return record
  end
end

-- How long the header of a record is, in the layouts that these scripts know (record/mod.rs has them).
local HEADERS = { 38, 39 }

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
  return known(record) and header(record) == 39 and string.byte(record, 39) == 1
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
  local length, place = struct.unpack('>I1I2', record, 36)
  local body = header(record) + 1
  local from = place > 0 and #record - place + 1 or body
  if from >= body and from + length - 1 <= #record then
    return string.sub(record, from, from + length - 1), place > 0 and body or body + length
  end
end

-- The subject and the key of the bucket that lists its sessions; nil for a guest.
local function account(record)
  local subject = known(record) and subject_in(record)
  if subject and subject ~= '' then
    return subject, base .. '#' .. string.sub(record, 34, 35)
  end
end

-- The index of an account is a string of ids, 16 bytes each, in no order.
local function without(ids, gone)
  local kept = {}
  for at = 1, #ids, 16 do
    local id = string.sub(ids, at, at + 15)
    if not gone[id] then
      kept[#kept + 1] = id
    end
  end
  return table.concat(kept)
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
  local subject, bucket = account(record)
  local ids = subject and redis.pcall('HGET', bucket, subject)
  if type(ids) == 'string' then
    write_ids(redis.pcall, bucket, subject, without(ids, { [id] = true }))
  end
end

-- Tells who listens to the realm. Whether that is allowed or works must not decide whether a session ends.
local function tell(ended)
  if ended ~= '' then
    redis.pcall('PUBLISH', base, ended)
  end
end

-- What is refused changes nothing, but a replica must not refuse it: it may not know.
local function refuse(why)
  begin_to_write()
  return why
end

local function outlive(key, ttl)
  if redis.call('PTTL', key) < tonumber(ttl) then
    redis.call('PEXPIRE', key, ttl)
  end
end

-- Nothing is without a time to live, and what a session needs lives as long as it does.
local function store(id, record, ttl)
  redis.call('SET', session(id), string.sub(record, 1, 1) .. epoch .. string.sub(record, 6), 'PX', ttl)
  outlive(base, ttl)
  local _, bucket = account(record)
  if bucket then
    outlive(bucket, ttl)
  end
end
