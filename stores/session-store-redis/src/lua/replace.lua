-- id, record, ttl, now, version to replace
local id, record, ttl, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local old = load(id)
if not old or ends_at(old) <= now then
  return refuse('G')
end
if not known(old) then
  return refuse('U')
end
if string.sub(old, 6, 13) ~= ARGV[5] then
  return refuse('C')
end
if account(old) ~= account(record) then
  return refuse('S')
end
store(id, record, ttl)
return 'D'
