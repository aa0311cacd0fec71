-- What nobody else wakes: entries without a lease (a crash, a lost job, an ended backoff), and
-- entries that have waited too long for their person: carts and checkouts of nobody come to
-- nothing, all others are parked. Where a sale comes to nothing, it is known to be nobody's, and so
-- is what followed it.
-- By the server's clock, which the deadlines are made from: ours may jump.
-- KEYS[1] prefix; ARGV 1 now (ISO), 2 reason of the parked, 3 how many at the most
-- Answers {entries in the outbox, entries parked}.
local prefix = KEYS[1]
local parked, given_up = 0, 0
local now = redis.call('TIME')[1]
local over = redis.call('ZRANGEBYSCORE', prefix .. 'waiting', '-inf', now, 'LIMIT', 0, ARGV[3])
for _, ref in ipairs(over) do
  local under_a_cart = string.find(ref, '^waiting:cart:') or string.find(ref, '^waiting:checkout:')
  local reason = ARGV[2]
  if not string.find(ref, '^waiting:order:') then
    reason = 'its person did not become known within 72 hours'
  end
  for _, fields in ipairs(redis.call('LRANGE', prefix .. ref, 0, -1)) do
    if under_a_cart then
      if comes_to_nothing(prefix, cjson.decode(fields)) then
        given_up = given_up + 1
      end
    else
      park(prefix, reason, cjson.decode(fields))
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
else
  -- What could not be sent came to nothing in another way: erased, skipped.
  redis.call('DEL', prefix .. 'trouble')
end
return {left, parked}
