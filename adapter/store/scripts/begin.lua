-- A batch is about to be sent. Where it ends is kept until its entries are gone: should it come
-- again, because nobody heard what became of it, it comes to the same only if it ends there again.
-- KEYS[1] prefix; ARGV 1 token, 2 id of its last entry, "" where its end is not to be kept
-- Answers 1 while the token owns the lease.
local prefix = KEYS[1]
if redis.call('GET', prefix .. 'lease') ~= 'run:' .. ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  return 1
end

local attempts = prefix .. 'attempts'
local oldest = redis.call('XRANGE', prefix .. 'outbox', '-', '+', 'COUNT', 1)[1]
local ends = {}
for id in string.gmatch(redis.call('HGET', attempts, 'ends') or '', '%S+') do
  if id ~= ARGV[2] and oldest and not is_earlier(id, oldest[1]) then
    ends[#ends + 1] = id
  end
end
ends[#ends + 1] = ARGV[2]
redis.call('HSET', attempts, 'ends', table.concat(ends, ' '))
return 1
