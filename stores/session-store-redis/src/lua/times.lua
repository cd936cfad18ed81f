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

