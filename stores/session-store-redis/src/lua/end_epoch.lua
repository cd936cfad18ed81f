-- Every session of the realm ends here and now; what is left of them is swept away afterwards.
if not epoch then
  return 0
end
redis.call('SET', base, struct.pack('>I4', (struct.unpack('>I4', epoch) + 1) % 4294967296), 'KEEPTTL')
tell('*')
return 1
