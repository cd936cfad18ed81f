-- The ids that an account's index lists: at most `most` of them, from the first one on.
local function ids_in(bucket, ids, most)
  local found, first = {}, string.sub(bucket, -1)
  for at = 1, math.min(#ids, (most or math.huge) * LISTED), LISTED do
    found[#found + 1] = first .. string.sub(ids, at, at + LISTED - 1)
  end
  return found
end

-- The string of those ids that `stays` says yes to.
local function list_of(ids, stays)
  local kept = {}
  for place = 1, #ids do
    if stays(ids[place]) then
      kept[#kept + 1] = string.sub(ids[place], 2)
    end
  end
  return table.concat(kept)
end

local function without(bucket, ids, gone)
  return list_of(ids_in(bucket, ids), function(id)
    return not gone[id]
  end)
end

-- `call` is redis.call, or redis.pcall where sessions were ended: an id that stays in the index leads nowhere, so
-- whether the index can be written must not decide whether a session ends.
local function write_ids(call, bucket, subject, ids)
  if ids == '' then
    call('HDEL', bucket, subject)
  else
    call('HSET', bucket, subject, ids)
  end
end

-- Takes a session that was deleted out of its account's index. To delete comes first: Redis lets a script that has begun
-- to write go on when memory, replicas or the disk fail, and to delete is allowed when there is no memory.
local function unlist(id, record)
  local subject, bucket = account(id, record)
  local ids = subject and redis.pcall('HGET', bucket, subject)
  if type(ids) == 'string' then
    write_ids(redis.pcall, bucket, subject, without(bucket, ids, { [id] = true }))
  end
end

