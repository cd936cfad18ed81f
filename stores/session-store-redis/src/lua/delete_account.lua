-- place of the account without the shard, subject, id to keep or '', now, fresh mark, milliseconds that marks live
local bucket, subject, keep, now = bucket_of(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local fresh, ttl = ARGV[5], tonumber(ARGV[6])

local function failed(answer)
  return type(answer) == 'table' and answer.err
end

-- Marks live for a day.
local function is_over(mark)
  return #mark == 21 and struct.unpack('>I5', mark, 17) + ttl / 1000 <= now
end

-- Before anything is deleted: nothing is rolled back, and no login that began earlier may come after a deletion. Where
-- the mark cannot be set all marks go, and with them every login under way: too many are refused, and none too few.
local function set_mark()
  begin_to_write()
  forget(marks, is_over)
  if failed(redis.pcall('HSET', marks, subject, fresh .. struct.pack('>I5', now)))
    or failed(redis.pcall('PEXPIRE', marks, ttl)) then
    redis.call('DEL', marks)
  end
end

set_mark()
local ids = redis.call('HGET', bucket, subject) or ''
local kept, ended = '', {}
for _, id in ipairs(ids_in(bucket, ids)) do
  if id == keep then
    kept = string.sub(id, 2)
  else
    local record = load(id)
    if record and now < ends_at(record) then
      ended[#ended + 1] = id
    end
    redis.call('DEL', session(id))
  end
end
if ids ~= kept then
  write_ids(redis.pcall, bucket, subject, kept)
end
ended = table.concat(ended)
tell(ended)
return ended
