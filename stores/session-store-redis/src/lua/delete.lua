-- id
local record = load(ARGV[1])
redis.call('DEL', session(ARGV[1]))
if record then
  unlist(ARGV[1], record)
  tell(ARGV[1])
end
return record and 1 or 0
