-- bucket, subject, id to keep or '', now
local bucket, subject, keep, now = base .. '#' .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local ids = redis.call('HGET', bucket, subject) or ''
local kept, ended = '', {}
for at = 1, #ids, 16 do
  local id = string.sub(ids, at, at + 15)
  if id == keep then
    kept = id
  else
    local record = load(id)
    if record and now < ends_at(record) then
      ended[#ended + 1] = id
    end
    redis.call('DEL', session(id))
  end
end
if ids == kept then
  redis.call('HDEL', bucket, '') -- changes nothing, but a replica must not say that there was nothing to end
else
  write_ids(redis.pcall, bucket, subject, kept)
end
ended = table.concat(ended)
tell(ended)
return ended
