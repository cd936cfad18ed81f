-- Whether this version of the scripts knows what the bytes mean (record/mod.rs says it).
local function known(record)
  local layout = byte_at(record, 1)
  return layout == 1 or layout == 2
end

-- The subject, empty for a guest, and where the numbers behind it begin; nil if the record is damaged.
local function subject_in(record)
  local length, place, low = byte_at(record, 6, 8)
  local body = 8
  if place and place >= 128 then
    place, body = low and (place - 128) * 256 + low, 9
  end
  if not place then
    return nil
  end
  local from = place > 0 and #record - place + 1 or body
  if from >= body and from + length - 1 <= #record then
    return string.sub(record, from, from + length - 1), place > 0 and body or body + length
  end
end

-- The index of an account is a string of ids in no order. The first byte of an id names the bucket, and is left out there: 64
-- bytes, four sessions, are the longest that Redis packs tightly.
local LISTED = 16

-- The accounts of a shard share 64 hashes.
local function bucket_of(id)
  return base .. '#' .. string.sub(id, 1, 1)
end

-- The subject and the key of the bucket that lists its sessions; nil for a guest.
local function account(id, record)
  local subject = known(record) and subject_in(record) or nil
  if subject and subject ~= '' then
    return subject, bucket_of(id)
  end
end

