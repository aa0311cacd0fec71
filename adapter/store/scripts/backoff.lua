-- Nothing moves: the lease becomes a backoff, which ends by itself.
-- KEYS[1] prefix; ARGV 1 token, 2 backoff in ms, 3 reason, 4 now (Unix), 5 "1" while paused,
-- 6 what this adds to: "failures", "throttles" or "", 7 "1" when the claim is not to count as a death of the worker
-- Answers 1 while the token owned the lease.
local prefix = KEYS[1]
local lease, trouble = prefix .. 'lease', prefix .. 'trouble'
if redis.call('GET', lease) ~= 'run:' .. ARGV[1] then
  return 0
end
if tonumber(ARGV[2]) > 0 then
  redis.call('SET', lease, 'wait:' .. ARGV[3], 'PX', ARGV[2])
else
  redis.call('DEL', lease)
end
if ARGV[3] ~= '' then
  if ARGV[6] ~= '' then
    redis.call('HINCRBY', trouble, ARGV[6], 1)
  end
  redis.call('HSETNX', trouble, 'since', ARGV[4])
  redis.call('HSET', trouble, 'reason', ARGV[3], 'paused', ARGV[5])
  redis.call('HSET', prefix .. 'last_error', 'reason', ARGV[3], 'at', ARGV[4])
end
if ARGV[7] == '1' then
  redis.call('HSET', prefix .. 'attempts', 'claims', 0)
end
return 1
