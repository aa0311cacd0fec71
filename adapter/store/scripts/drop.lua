-- Parked deliveries are given up for good. What they never told may be told by others: the business
-- keys of their events that they hold are free again.
-- KEYS[1] prefix; ARGV for each: its id in `parked`, its delivery, how many keys, business key refs
-- Answers how many were there.
local prefix = KEYS[1]
local dropped, i = 0, 1
while i <= #ARGV do
  local id, delivery, last = ARGV[i], ARGV[i + 1], i + 2 + tonumber(ARGV[i + 2])
  if redis.call('XDEL', prefix .. 'parked', id) == 1 then
    dropped = dropped + 1
    for each = i + 3, last do
      if redis.call('GET', prefix .. ARGV[each]) == delivery then
        redis.call('DEL', prefix .. ARGV[each])
      end
    end
  end
  i = last + 1
end
return dropped
