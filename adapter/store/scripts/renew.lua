-- KEYS[1] prefix; ARGV 1 token, 2 lease in ms. Answers 1 while the token owns the lease.
local lease = KEYS[1] .. 'lease'
if redis.call('GET', lease) ~= 'run:' .. ARGV[1] then
  return 0
end
redis.call('PEXPIRE', lease, ARGV[2])
return 1
