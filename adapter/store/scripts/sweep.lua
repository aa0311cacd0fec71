-- What nobody else wakes: entries without a lease (a crash, a lost job, an ended backoff), and
-- entries that have waited too long for their person: carts and checkouts of nobody come to
-- nothing, and so does the sale of nobody (of a placeholder address) with all that followed it; all
-- others are parked.
-- KEYS[1] prefix; ARGV 1 now (ISO), 2 now (Unix), 3 reason of the parked, 4 how many at the most
-- Answers {entries in the outbox, entries parked}.
local prefix = KEYS[1]
local parked, given_up = 0, 0

-- Whether a body that waits names somebody all the same: then it is nobody's own address.
local function names_a_placeholder(entries)
  for _, fields in ipairs(entries) do
    for i = 1, #fields, 2 do
      if fields[i] == 'p' and fields[i + 1] ~= '' then
        local person = cjson.decode(fields[i + 1])
        if person.email and not person.id and not person.phone then
          return true
        end
      end
    end
  end
  return false
end

for _, ref in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'waiting', '-inf', ARGV[2], 'LIMIT', 0, ARGV[4])) do
  local entries = {}
  for _, fields in ipairs(redis.call('LRANGE', prefix .. ref, 0, -1)) do
    entries[#entries + 1] = cjson.decode(fields)
  end
  local of_order = string.find(ref, '^waiting:order:')
  local comes_to_nothing = string.find(ref, '^waiting:cart:') or string.find(ref, '^waiting:checkout:')
  if of_order and names_a_placeholder(entries) then
    comes_to_nothing = true
    redis.call('SET', prefix .. 'owner:' .. string.sub(ref, 9), '{}', 'NX', 'EX', 34560000)
  end
  local reason = of_order and ARGV[3] or 'its person did not become known within 72 hours'
  for _, fields in ipairs(entries) do
    if comes_to_nothing then
      given_up = given_up + 1
    else
      redis.call('XADD', prefix .. 'parked', '*', 'r', reason, unpack(fields))
      parked = parked + 1
    end
  end
  redis.call('DEL', prefix .. ref)
  redis.call('ZREM', prefix .. 'waiting', ref)
end
if given_up > 0 then
  redis.call('HINCRBY', prefix .. 'counts', 'ignored', given_up)
  redis.call('HINCRBY', prefix .. 'counts', 'ignored:no_person', given_up)
end
if parked > 0 then
  redis.call('HINCRBY', prefix .. 'counts', 'parked', parked)
end
local left = redis.call('XLEN', prefix .. 'outbox')
if left > 0 then
  wake(prefix, ARGV[1])
end
return {left, parked}
