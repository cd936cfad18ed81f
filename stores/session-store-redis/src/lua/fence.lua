-- subject, fresh mark, milliseconds that marks live
local subject, fresh, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- What a login began with must outlive it, or the login is refused. Nothing but the time to live changes, twice a day at
-- most; whether it can must not decide whether there is an answer.
local function prolong(key)
  if redis.call('PTTL', key) < ttl / 2 then
    redis.pcall('PEXPIRE', key, ttl)
  end
end

local instance = redis.call('HGET', marks, '')
if epoch then
  prolong(base)
else
  epoch = string.sub(fresh, 1, 4)
  redis.call('SET', base, epoch, 'PX', ttl) -- the first login renews it
end
if not instance then
  instance = string.sub(fresh, 5)
  redis.call('HSET', marks, '', instance)
end
prolong(marks)
return epoch .. instance .. string.sub(redis.call('HGET', marks, subject) or '', 1, 16)
