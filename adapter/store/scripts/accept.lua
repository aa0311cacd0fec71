-- Take one delivery in: claim its id, claim its events' business keys, keep its body, append what is
-- left, wake. A replay goes the same way, past the claim of its id.
-- KEYS[1]  the workspace's prefix
-- ARGV     1 outcome (accepted | ignored | parked), 2 dedupe ref, 3 delivery id, 4 now (ISO),
--          5 reason, 6 delivery, 7 person, 8 order, 9 body, 10 ref of an order that is nobody's,
--          11 seconds a delivery id is remembered, 12 seconds a business key is remembered,
--          13 seconds that is remembered, 14 names of properties left out (JSON list or ""),
--          15 platform, shop and topic, 16 when it came (Unix), 17 how many of 15 are told apart,
--          18 of a replay its id in `kept`, else "", 19 of a parked one its id in `parked`, else "",
--          20 a name for this call, the same when a client that lost the answer asks again,
--          21 product ref or ""; with one: record, its as_of, seconds that it is remembered;
--          then (business key ref, event) pairs; ("=a", action) is what it asks for,
--          ("=l", ledger) what it tells of an order's money
-- Answers {outcome, events appended}. A second call of the same delivery writes only its count, and
-- the same call once more nothing at all: it hears what became of it. A replay that is parked again
-- changes nothing, nor does one of what is parked no more ("gone").
local prefix, counts = KEYS[1], KEYS[1] .. 'counts'
local outcome, delivery = ARGV[1], ARGV[3]
local replay, parked = ARGV[18] ~= '', ARGV[19]

-- How many events this very call has appended already, by the place that its id leads to.
local function appended_by_this_call(place)
  local kept = redis.call('XRANGE', prefix .. 'kept', place, place)[1]
  for i = 1, kept and #kept[2] or 0, 2 do
    if kept[2][i] == 'c' then
      local call, number = string.match(kept[2][i + 1], '^(%S+) (%d+)$')
      return call == ARGV[20] and tonumber(number)
    end
  end
end

if replay then
  if parked ~= '' and not redis.call('XRANGE', prefix .. 'parked', parked, parked)[1] then
    return {'gone', 0}
  end
  if outcome == 'parked' then
    return {outcome, 0}
  end
  redis.call('HINCRBY', counts, 'replayed', 1)
else
  local place = redis.call('GET', prefix .. ARGV[2])
  if place then
    local number = appended_by_this_call(place)
    if number then
      return {outcome, number}
    end
    redis.call('HINCRBY', counts, 'duplicate', 1)
    return {'duplicate', 0}
  end
  redis.call('HINCRBY', counts, outcome, 1)
  if redis.call('HSET', prefix .. 'seen', ARGV[15], ARGV[16]) == 1
      and redis.call('HLEN', prefix .. 'seen') > tonumber(ARGV[17]) then
    redis.call('HDEL', prefix .. 'seen', ARGV[15])
  else
    redis.call('HINCRBY', prefix .. 'topics', outcome .. ' ' .. ARGV[15], 1)
  end
end

-- Its events, less those that another delivery has told already.
local entry = {'d', ARGV[6], 'p', ARGV[7], 'o', ARGV[8]}
local appended, asks, told = 0, false, {}
local first = 22
if ARGV[21] ~= '' then
  first = 25
  if outcome == 'accepted' then
    remember_product(prefix, ARGV[21], ARGV[22], ARGV[23], ARGV[24])
  end
end
for i = first, #ARGV, 2 do
  local field = ARGV[i] == '=a' or ARGV[i] == '=l'
  local holder = not field
    and redis.call('SET', prefix .. ARGV[i], delivery, 'NX', 'GET', 'EX', ARGV[12])
  if field then
    asks = asks or ARGV[i] == '=a'
    entry[#entry + 1] = string.sub(ARGV[i], 2)
    entry[#entry + 1] = ARGV[i + 1]
  elseif holder and holder ~= delivery then
    redis.call('HINCRBY', counts, 'repeated', 1)
    told[#told + 1] = {ARGV[i], holder}
  else
    entry[#entry + 1] = 'e' .. appended
    entry[#entry + 1] = ARGV[i + 1]
    appended = appended + 1
  end
end

local id = ARGV[18]
if parked ~= '' then
  -- Its body lay there only; from now on it lies where all others do.
  redis.call('XDEL', prefix .. 'parked', parked)
  redis.call('XDEL', prefix .. 'kept', id)
end
if not replay or not redis.call('XRANGE', prefix .. 'kept', id, id)[1] then
  local kept = {'d', ARGV[6], 'w', outcome, 'c', ARGV[20] .. ' ' .. appended}
  local function note(name, value)
    if value ~= '' then
      kept[#kept + 1], kept[#kept + 2] = name, value
    end
  end
  note('r', ARGV[5])
  note('o', ARGV[8])
  note('x', #told > 0 and cjson.encode(told) or '')
  note('b', outcome ~= 'parked' and ARGV[9] or '')
  id = redis.call('XADD', prefix .. 'kept', '*', unpack(kept))
  redis.call('SET', prefix .. ARGV[2], id, 'EX', ARGV[11])
end

if outcome == 'ignored' then
  if not replay then
    redis.call('HINCRBY', counts, 'ignored:' .. ARGV[5], 1)
  end
  if ARGV[10] ~= '' then
    redis.call('SET', prefix .. ARGV[10], '{"owner":{}}', 'NX', 'EX', ARGV[13])
  end
  return {outcome, 0}
end

if outcome == 'parked' then
  redis.call('XADD', prefix .. 'parked', '*', 'd', ARGV[6], 'r', ARGV[5], 'k', id, 'b', ARGV[9])
  return {outcome, 0}
end

if ARGV[14] ~= '' then
  for _, name in ipairs(cjson.decode(ARGV[14])) do
    redis.call('HINCRBY', counts, 'left_out:' .. name, 1)
  end
end
if appended > 0 or asks or ARGV[7] ~= '' then
  entry[#entry + 1], entry[#entry + 2] = 'k', id
  redis.call('XADD', prefix .. 'outbox', '*', unpack(entry))
  wake(prefix, ARGV[4])
end
return {outcome, appended}
