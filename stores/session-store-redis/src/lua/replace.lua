-- id, record, ttl, now, version to replace
local id, record, ttl, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local old = load(id)
local found = old and times(old)
if not old or found and found.ends <= now then
  return refuse('G')
end
if not found then
  return refuse('U')
end
if found.version ~= ARGV[5] then
  return refuse('C')
end
if account(id, old) ~= account(id, record) then
  return refuse('S')
end
redis.call('SET', session(id), dated(record), 'PX', ttl)
outlive(now, tonumber(ttl))
local _, bucket = account(id, record)
if bucket then
  outlive_bucket(bucket, tonumber(ttl))
end
return 'D'
