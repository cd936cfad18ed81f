-- How a session comes to be, for a login and for the adoption of a foreign session.
-- Arguments: id, record, ttl, now, limit or -1, whether to evict, and then those of either.
local id, record, ttl, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local most, evicts = tonumber(ARGV[5]), ARGV[6] == '1'
local subject, bucket = account(id, record)

-- Whether an account of these sessions has room for another: there are never more that count towards the limit than ids.
local function has_room(ids)
  return most < 0 or #ids / LISTED < most
end

-- Puts the session in its place. false if its id is taken.
local function put()
  if not epoch then
    epoch = string.sub(id, -4) -- random, so that no epoch that was lost comes back
    held = epoch
  end
  if not redis.call('SET', session(id), dated(record), 'PX', ARGV[3], 'NX') then
    if load(id) then
      return false
    end
    redis.call('SET', session(id), dated(record), 'PX', ARGV[3]) -- what is of an earlier epoch is no session
  end
  outlive(now, ttl)
  return true
end

-- Puts the session into the index of its account.
local function enlist(ids)
  redis.call('HSET', bucket, subject, ids .. string.sub(id, 2))
  outlive_bucket(bucket, ttl)
end

-- Every so many logins, by a byte that is random, look for dead ids in the indexes.
local is_tidying = byte_at(id, -1) % 8 == 0
