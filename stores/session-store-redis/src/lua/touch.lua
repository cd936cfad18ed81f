-- id, now, interval, idle timeout or -1, milliseconds to keep a record beyond its end
local id, now, interval, idle = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local record = load(id)
if not record or ends_at(record) <= now then
  return false
end
if not known(record) or now < number(record, 19) + interval then
  return record
end
local ends = number(record, 24)
if idle >= 0 then
  ends = math.min(ends, now + idle)
end
local high, low = struct.unpack('>I4I4', record, 6)
low = low + 1
if low == 4294967296 then
  high, low = (high + 1) % 4294967296, 0
end
record = string.sub(record, 1, 5) .. struct.pack('>I4I4', high, low) .. string.sub(record, 14, 18)
  .. struct.pack('>I5', now) .. string.sub(record, 24, 28) .. struct.pack('>I5', ends) .. string.sub(record, 34)
store(id, record, string.format('%.0f', math.max(ends - now, 0) * 1000 + tonumber(ARGV[5])))
return record
