-- subject or '' for the realm, last time that it stops, until when it is kept, how long that is, what is over by now
local bars, subject, ttl = base .. '^', ARGV[1], tonumber(ARGV[4])
local at, kept, over = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])

-- The times of a bar, if it is one.
local function times_of(bar)
  if bar and #bar == 10 then
    return struct.unpack('>I5I5', bar)
  end
end

-- Who bars also ends sessions, and that needs no memory.
begin_to_write()
forget(bars, function(bar)
  local _, ends = times_of(bar)
  return ends and ends <= over
end)
local old_at, old_kept = times_of(redis.call('HGET', bars, subject))
redis.call('HSET', bars, subject, struct.pack('>I5I5', math.max(at, old_at or 0), math.max(kept, old_kept or 0)))
if redis.call('PTTL', bars) < ttl then
  redis.call('PEXPIRE', bars, ARGV[4])
end
return 1
