-- ids: deletes those that are of an earlier epoch
local swept = 0
for place = 1, #ARGV do
  local id = ARGV[place]
  local record = redis.call('GET', session(id))
  if record and string.sub(record, 2, 5) ~= epoch then
    redis.call('UNLINK', session(id))
    unlist(id, record)
    swept = swept + 1
  end
end
return swept
