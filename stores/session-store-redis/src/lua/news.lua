-- The byte that all ids of this shard begin with.
local shard = string.char(byte_at(base, -3) % 16 * 16 + byte_at(base, -2) % 16)

-- Tells who listens to the realm. Whether that is allowed or works must not decide whether a session ends.
local function tell(ended)
  if ended ~= '' then
    redis.pcall('PUBLISH', string.sub(base, 1, -5) .. '}', shard .. ended)
  end
end

