-- id to replace or '', its version or '', marks of the fence or ''
local replaced, required, fence = ARGV[7], ARGV[8], ARGV[9]

-- Whether the realm or the account was ended since the login began. What Redis has lost is not what it was.
local function overtaken()
  if fence == '' then
    return false
  end
  local found = redis.call('HMGET', marks, '', subject or '')
  local mark = subject and found[2] or ''
  return fence ~= (epoch or '') .. (found[1] or '') .. string.sub(mark, 1, 16)
end

-- What is wrong with the predecessor, if this version of it must be there.
local function objection(old)
  if required == '' then
    return nil
  end
  local found = old and times(old)
  if not old or found and found.ends <= now then
    return 'G'
  end
  return (not found or found.version ~= required) and 'C' or nil
end

local function end_replaced(old)
  redis.call('DEL', session(replaced))
  if old and account(replaced, old) ~= subject then
    unlist(replaced, old)
  end
end

-- An id that is taken is the first of several reasons.
local function refuse_or_taken(why)
  return refuse(load(id) and 'T' or why)
end

if overtaken() then
  return refuse_or_taken('O')
end
local old = replaced ~= '' and load(replaced)
local wrong = objection(old)
if wrong then
  return refuse_or_taken(wrong)
end
local ids = subject and redis.call('HGET', bucket, subject) or ''
local gone = { [replaced] = true }
local evicted = room(ids, gone)
if not evicted then
  return refuse_or_taken('L')
end
-- A login that ends a session makes room for itself.
if old or #evicted > 0 then
  if load(id) then
    return refuse('T')
  end
  begin_to_write()
end
if not add(ids, gone, evicted) then
  return refuse('T')
end
if replaced ~= '' and replaced ~= id then
  end_replaced(old)
end
evicted = table.concat(evicted)
tell(evicted .. (old and replaced or ''))
return 'D' .. evicted
