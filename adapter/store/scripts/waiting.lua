-- Shared by settle and sweep: what waits for its person.
-- A sale that names nobody waits under a token of its own (72 h), what follows it (a refund, a
-- parcel) under the order (24 h). Both wait for the same person, so the second no shorter than the
-- first; and once the sale came to nothing it is known to be nobody's.
-- OWNER_SECONDS, LONGEST and LOOKED are put before this text by scripts.py.

-- What waits under a ref goes back to the outbox.
local function let_go(prefix, ref)
  redis.call('ZREM', prefix .. 'waiting', ref)
  for _, fields in ipairs(redis.call('LRANGE', prefix .. ref, 0, -1)) do
    redis.call('XADD', prefix .. 'outbox', '*', unpack(cjson.decode(fields)))
  end
  redis.call('DEL', prefix .. ref)
end

-- Of an entry: what its order is called in names, nil without one; its delivery; its events.
local function facts_of(fields)
  local order, delivery, events = '', nil, {}
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if name == 'o' then
      order = value
    elseif name == 'd' then
      delivery = cjson.decode(value)
    elseif string.find(name, '^e%d') then
      events[#events + 1] = value
    end
  end
  if order ~= '' and #order <= LONGEST then
    return 'order:' .. delivery.platform .. ':' .. delivery.shop .. ':' .. order, delivery, events
  end
end

local function record_of(prefix, order)
  local is_json, record = pcall(cjson.decode, redis.call('GET', prefix .. 'thing:' .. order) or '{}')
  return is_json and type(record) == 'table' and record or {}
end

local function keep(prefix, order, record)
  redis.call('SET', prefix .. 'thing:' .. order, cjson.encode(record), 'EX', OWNER_SECONDS)
end

-- Of an entry: its delivery's id, and the place in `kept` that it was given when it came.
local function arrival_of(fields)
  local delivery, place
  for i = 1, #fields, 2 do
    if fields[i] == 'd' then
      delivery = cjson.decode(fields[i + 1]).id
    elseif fields[i] == 'k' and string.find(fields[i + 1], '^%d+-%d+$') then
      place = fields[i + 1]
    end
  end
  return delivery, place
end

-- An entry takes its place under a ref, behind what came before it; whether there is one more now.
-- A replay of what waits there has a place already, and the one of what was given up is no newer
-- than it was: else older states of a cart would push out newer ones, and then be told as older.
-- Looks at the newest LOOKED only; no more than that wait where any are given up.
local function takes_place(prefix, ref, fields)
  local name, text = prefix .. ref, cjson.encode(fields)
  local delivery, place = arrival_of(fields)
  local waiting = redis.call('LRANGE', name, -LOOKED, -1)
  -- Reading an entry costs more than looking for a text in it.
  local is_plain = string.find(delivery, '^[%w%-_%.:]+$')
  for i, other in ipairs(waiting) do
    local may_be = not is_plain or string.find(other, delivery, 1, true)
    if may_be and arrival_of(cjson.decode(other)) == delivery then
      redis.call('LSET', name, i - 1 - #waiting, text)
      return false
    end
  end
  local before
  for i = #waiting, 1, -1 do
    local _, its_place = arrival_of(cjson.decode(waiting[i]))
    if place and its_place then
      if not is_earlier(place, its_place) then
        break
      end
      before = waiting[i]
    end
  end
  if before then
    redis.call('LINSERT', name, 'BEFORE', before, text)
  else
    redis.call('RPUSH', name, text)
  end
  return true
end

-- Until when an entry waits under a ref: `deadline`, or as long as its sale does.
local function waits_until(prefix, ref, deadline, fields)
  local order = facts_of(fields)
  if not order then
    return deadline
  end
  local record = record_of(prefix, order)
  if ref == 'waiting:' .. order then
    return math.max(deadline, tonumber(record.waits) or 0)
  end
  -- A little longer than the sale, which takes along what waits for it.
  record.waits = deadline + 60
  keep(prefix, order, record)
  redis.call('ZADD', prefix .. 'waiting', 'XX', 'GT', record.waits, 'waiting:' .. order)
  return deadline
end

-- A sale is given up: its events may come again, from a body that names somebody. Those of carts
-- keep their keys, by which one sees what became of them.
local function give_keys_back(prefix, fields)
  local order, delivery, events = facts_of(fields)
  for _, text in ipairs(order and events or {}) do
    local event = cjson.decode(text)
    local key = delivery.platform .. ':' .. delivery.shop .. ':' .. event.name .. ':' .. event.key
    if redis.call('GET', prefix .. 'key:' .. key) == delivery.id then
      redis.call('DEL', prefix .. 'key:' .. key)
    end
  end
end

-- An entry has waited its time under a token: whether it comes to nothing. A sale whose order is
-- somebody's by now, as a body without the token said, goes back to the outbox and is theirs; else
-- the sale is nobody's. Either way what follows it goes on, and is told so.
local function comes_to_nothing(prefix, fields)
  local order = facts_of(fields)
  local record = order and record_of(prefix, order)
  local owner = record and type(record.owner) == 'table' and record.owner
  if owner and next(owner) then
    redis.call('XADD', prefix .. 'outbox', '*', unpack(fields))
    let_go(prefix, 'waiting:' .. order)
    return false
  end
  give_keys_back(prefix, fields)
  if record then
    if not owner then
      record.owner = {}
      keep(prefix, order, record)
    end
    let_go(prefix, 'waiting:' .. order)
  end
  return true
end
