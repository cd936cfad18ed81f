-- place of the account without the shard, subject
local bucket = bucket_of(ARGV[1])
local found = {}
for _, id in ipairs(ids_in(bucket, redis.call('HGET', bucket, ARGV[2]) or '')) do
  local record = load(id)
  if record then
    found[#found + 1] = id
    found[#found + 1] = record
  end
end
return found
