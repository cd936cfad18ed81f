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

