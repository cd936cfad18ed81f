-- A login that is not the usual one.
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

if is_overtaken then
  return refuse_or_taken('O')
end
local old = replaced ~= '' and load(replaced)
local wrong = objection(old)
if wrong then
  return refuse_or_taken(wrong)
end
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
