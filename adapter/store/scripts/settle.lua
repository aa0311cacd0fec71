-- Write down what became of a batch, in one step and only while the token owns the lease.
-- KEYS[1] prefix; ARGV 1 token, 2 lease in ms, 3 now (ISO), 5 this call's number, higher than those
-- of all before it under this token, and the same when a client that lost the answer asks again:
-- what the network held back of the first try may come behind later calls, 4 work (JSON):
--   done      ids of entries that are finished, whatever their end
--   dead      {record, business key ref or "", delivery id, ids in `kept`}: refused operations; the
--             bodies of their deliveries stay with them
--   freed     {business key ref, delivery id}: keys of events that came to nothing
--   answered  true: the destination answered, so a row of failures has ended
--   condemned {entry id, reason}: entries on which the worker died again and again; parked
--   waits     {entry id, waiting ref, deadline (Unix), most}: entries whose person is not known yet;
--             beyond `most` (0: any number) under one ref the oldest are given up
--   released  waiting refs whose person is known now
--   forgotten ids in `kept` of bodies that name somebody who was erased
--   errands   {delivery id, errand}: what is to be done in the whole of Redis, see store/purge.py
--   counts    {name, n}
--   hand_over true: leave the lease to a new job, so that other work gets its turn
-- 6 what is to be told of this batch later, see store/journal.py
-- 7 how many of what is to be remembered stand for themselves, then (ref, value, seconds) triples,
-- 0: for good. Those behind are parts (JSON) of the records of things
-- Answers {settled, entries still in the outbox}.
local prefix = KEYS[1]
local lease, outbox = prefix .. 'lease', prefix .. 'outbox'
local settled = redis.call('HMGET', prefix .. 'settled', 'token', 'number', 'left')
if settled[1] == ARGV[1] and tonumber(ARGV[5]) <= tonumber(settled[2]) then
  return {1, tonumber(settled[3])}
end
if redis.call('GET', lease) ~= 'run:' .. ARGV[1] then
  return {0, 0}
end
local work = cjson.decode(ARGV[4])

local parts = 8 + 3 * tonumber(ARGV[7])
for i = 8, parts - 1, 3 do
  if ARGV[i + 2] == '0' then
    redis.call('SET', prefix .. ARGV[i], ARGV[i + 1])
  else
    redis.call('SETEX', prefix .. ARGV[i], ARGV[i + 2], ARGV[i + 1])
  end
end
for i = parts, #ARGV, 3 do
  local name, new, seconds = prefix .. ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if not redis.call('SET', name, new, 'NX', 'EX', seconds) then
    local is_json, record = pcall(cjson.decode, redis.call('GET', name))
    if is_json and type(record) == 'table' then
      for part, value in pairs(cjson.decode(new)) do
        record[part] = value
      end
      new = cjson.encode(record)
    end
    redis.call('SETEX', name, seconds, new)
  end
end
for _, item in ipairs(work.dead) do
  local letter = {'r', item[1]}
  for i, kept in ipairs(item[4]) do
    local body = body_of(prefix, kept)
    if body then
      letter[#letter + 1], letter[#letter + 2] = 'b' .. (i - 1), body
    end
  end
  redis.call('XADD', prefix .. 'dead', '*', unpack(letter))
  if item[2] ~= '' and redis.call('GET', prefix .. item[2]) == item[3] then
    redis.call('DEL', prefix .. item[2])
  end
end
for _, item in ipairs(work.freed) do
  if redis.call('GET', prefix .. item[1]) == item[2] then
    redis.call('DEL', prefix .. item[1])
  end
end
for _, item in ipairs(work.condemned) do
  local found = redis.call('XRANGE', outbox, item[1], item[1])
  if found[1] then
    park(prefix, item[2], found[1][2])
    redis.call('XDEL', outbox, item[1])
    redis.call('HINCRBY', prefix .. 'counts', 'parked', 1)
  end
end
for _, item in ipairs(work.waits) do
  local found = redis.call('XRANGE', outbox, item[1], item[1])
  if found[1] then
    local deadline = waits_until(prefix, item[2], tonumber(item[3]), found[1][2])
    local one_more = takes_place(prefix, item[2], found[1][2])
    redis.call('ZADD', prefix .. 'waiting', 'GT', deadline, item[2])
    redis.call('XDEL', outbox, item[1])
    if one_more and item[4] > 0 and redis.call('LLEN', prefix .. item[2]) > item[4] then
      give_keys_back(prefix, cjson.decode(redis.call('LPOP', prefix .. item[2])))
      redis.call('HINCRBY', prefix .. 'counts', 'ignored', 1)
      redis.call('HINCRBY', prefix .. 'counts', 'ignored:too many without a person', 1)
    end
  end
end
for from = 1, #work.released, 500 do
  -- Hardly any of them is waited for: one question for many.
  local refs = {unpack(work.released, from, math.min(from + 499, #work.released))}
  for i, score in ipairs(redis.call('ZMSCORE', prefix .. 'waiting', unpack(refs))) do
    if score then
      let_go(prefix, refs[i])
    end
  end
end
for from = 1, #work.done, 500 do
  redis.call('XDEL', outbox, unpack(work.done, from, math.min(from + 499, #work.done)))
end
for _, id in ipairs(work.forgotten) do
  redis.call('XDEL', prefix .. 'kept', id)
end
if ARGV[6] ~= '' then
  redis.call('XADD', prefix .. 'journal', '*', 'j', ARGV[6])
end
for _, item in ipairs(work.errands) do
  redis.call('HSET', prefix .. 'errands', item[1], item[2])
end
for _, item in ipairs(work.counts) do
  redis.call('HINCRBY', prefix .. 'counts', item[1], item[2])
end

local attempts = prefix .. 'attempts'
redis.call('HSET', attempts, 'claims', 0)
if tonumber(redis.call('HGET', attempts, 'caution') or '0') > 0 then
  redis.call('HINCRBY', attempts, 'caution', -math.max(1, #work.done + #work.condemned))
end
if work.answered then
  redis.call('DEL', prefix .. 'trouble')
end

local left = redis.call('XLEN', outbox)
if left == 0 then
  redis.call('DEL', lease)
  redis.call('HDEL', attempts, 'ends')
elseif work.hand_over then
  redis.call('DEL', lease)
  wake(prefix, ARGV[3])
else
  redis.call('PEXPIRE', lease, ARGV[2])
end
redis.call('HSET', prefix .. 'settled', 'token', ARGV[1], 'number', ARGV[5], 'left', left)
return {1, left}
