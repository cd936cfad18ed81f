-- bucket, subject
local ids = redis.call('HGET', base .. '#' .. ARGV[1], ARGV[2]) or ''
local found = {}
for at = 1, #ids, 16 do
  local id = string.sub(ids, at, at + 15)
  local record = load(id)
  if record then
    found[#found + 1] = id
    found[#found + 1] = record
  end
end
return found
