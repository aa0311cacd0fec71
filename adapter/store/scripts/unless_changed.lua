-- Remove or replace a text, unless somebody else has written it since it was read.
-- KEYS[1] the key; ARGV 1 what was read, 2 what is to be there instead, "" for nothing
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  return redis.call('DEL', KEYS[1])
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
