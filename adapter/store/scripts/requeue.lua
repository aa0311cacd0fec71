-- What was parked after it was mapped goes out again as it was mapped.
-- KEYS[1] prefix; ARGV 1 now (ISO), then ids in `parked`
-- Answers for each: 1, or 0 where it is gone.
local prefix = KEYS[1]
local answers = {}
for i = 2, #ARGV do
  local found = redis.call('XRANGE', prefix .. 'parked', ARGV[i], ARGV[i])[1]
  if found then
    local entry = {}
    for j = 1, #found[2], 2 do
      if found[2][j] ~= 'r' and found[2][j] ~= 'b' then
        entry[#entry + 1], entry[#entry + 2] = found[2][j], found[2][j + 1]
      end
    end
    redis.call('XADD', prefix .. 'outbox', '*', unpack(entry))
    redis.call('XDEL', prefix .. 'parked', ARGV[i])
    redis.call('HINCRBY', prefix .. 'counts', 'replayed', 1)
  end
  answers[#answers + 1] = found and 1 or 0
end
if redis.call('XLEN', prefix .. 'outbox') > 0 then
  wake(prefix, ARGV[1])
end
return answers
