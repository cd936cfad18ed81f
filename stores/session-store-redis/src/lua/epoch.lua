-- KEYS[1] names the shard of a realm and holds its epoch. Every other key is made from it, so all are in its slot.
-- An id here is that of a session without its first byte, which names the shard.
local byte_at = string.byte -- at hand: numbers are read byte by byte
local base = KEYS[1]
local held = redis.call('GET', base)
local epoch = held and string.sub(held, 1, 4)

-- Who was revoked of late: by subject a mark of 16 bytes, and when it was set; under the empty name 12 random bytes that
-- tell this hash from one that came after it was lost.
local marks = base .. '!'

-- 9999-12-31T23:59:59Z: what is later is taken for it, as in Rust.
local LAST = 253402300799

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

-- What is refused changes nothing, but a replica must not refuse it: it may not know.
local function refuse(why)
  begin_to_write()
  return why
end

