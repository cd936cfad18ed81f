-- The usual login: nobody is replaced, and nobody has to make room. It comes first and ends here, since to make the functions
-- that the others need costs as much as all the commands of a login.
-- id to replace or '', its version or '', marks of the fence or ''
local replaced, required, fence = ARGV[7], ARGV[8], ARGV[9]

-- Whether the realm or the account was ended since the login began.
local is_overtaken = false
if fence ~= '' then
  local found = redis.call('HMGET', marks, '', subject or '')
  local mark = subject and found[2] or ''
  is_overtaken = fence ~= (epoch or '') .. (found[1] or '') .. string.sub(mark, 1, 16)
end
local ids = not is_overtaken and subject and redis.call('HGET', bucket, subject) or ''
if not is_overtaken and replaced == '' and required == '' and not is_tidying and has_room(ids) then
  if not put() then
    return refuse('T')
  end
  if subject then
    enlist(ids)
  end
  return 'D'
end

