-- Every session of the shard ends here and now; what is left of them is swept away afterwards. Without an epoch there is
-- no session, and no fence holds without the marks that it was made from, so to delete both is enough, and works without
-- memory too; the next epoch then keeps the count. Who listens is told once, when all shards have ended.
local ttl = redis.call('PTTL', base)
redis.call('DEL', base, marks)
if not epoch then
  return 0
end
local next = struct.pack('>I4', (struct.unpack('>I4', epoch) + 1) % 4294967296)
redis.pcall('SET', base, next .. string.sub(held, 5), 'PX', ttl)
return 1
