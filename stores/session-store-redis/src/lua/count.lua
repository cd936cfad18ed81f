-- now, ids: how many of them are open
local now, open = tonumber(ARGV[1]), 0
for place = 2, #ARGV do
  local record = load(ARGV[place])
  if record and now < ends_at(record) then
    open = open + 1
  end
end
return open
