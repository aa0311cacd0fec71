-- A flush job takes the lease that names it.
-- KEYS[1] prefix; ARGV 1 job id, 2 token, 3 lease in ms, 4 claims on one batch before caution,
-- 5 how many entries caution lasts
-- Answers {claimed, claims since something was settled, entries left of caution, failures,
-- throttles, where batches ended that were begun}.
local prefix = KEYS[1]
local lease, attempts = prefix .. 'lease', prefix .. 'attempts'
local holder = redis.call('GET', lease)
-- A client that lost the answer asks again, with the token that it already has.
local again = holder == 'run:' .. ARGV[2]
if not again and holder ~= 'job:' .. ARGV[1] then
  return {0, 0, 0, 0, 0, ''}
end
redis.call('SET', lease, 'run:' .. ARGV[2], 'PX', ARGV[3])
-- A claim that nothing follows is a worker that died. Who dies again and again on one batch is
-- given its entries one by one, and then the one entry on which it dies shows itself.
local claims = redis.call('HINCRBY', attempts, 'claims', again and 0 or 1)
local caution = tonumber(redis.call('HGET', attempts, 'caution') or '0')
if caution <= 0 and claims > tonumber(ARGV[4]) then
  redis.call('HSET', attempts, 'claims', 1, 'caution', ARGV[5])
  claims, caution = 1, tonumber(ARGV[5])
end
local trouble = redis.call('HMGET', prefix .. 'trouble', 'failures', 'throttles')
return {1, claims, caution, tonumber(trouble[1] or '0'), tonumber(trouble[2] or '0'),
  redis.call('HGET', attempts, 'ends') or ''}
