-- The fields of a hash end together: two of them, any, go if their time is over. Whether it works decides nothing.
local function forget(key, is_over)
  local found = redis.pcall('HRANDFIELD', key, 2, 'WITHVALUES')
  for at = 1, found.err and 0 or #found, 2 do
    if is_over(found[at + 1]) then
      redis.pcall('HDEL', key, found[at])
    end
  end
end

