-- Dead letters go out again, as they are.
-- KEYS[1] prefix; ARGV 1 now (ISO), 2 seconds a business key is remembered, then for each letter:
-- its id in `dead`, business key ref or "", the delivery that would hold it, delivery, operation,
-- its delivery's id in `kept`, "" where its body is not to be kept any longer, the order that it is
-- about or ""
-- Answers for each: "revived", "gone" (somebody else was faster), or "told": another delivery has
-- told the event since; it stays dead.
local prefix = KEYS[1]
local answers = {}

-- Where its first body lies: it goes back to all others if it lies with the letter only, so that it
-- is there should the letter die again.
local function place_of(letter, kept, delivery)
  if kept == '' or redis.call('XRANGE', prefix .. 'kept', kept, kept)[1] then
    return kept
  end
  for i = 1, #letter, 2 do
    if letter[i] == 'b0' then
      return redis.call('XADD', prefix .. 'kept', '*', 'd', delivery, 'w', 'accepted',
        'b', letter[i + 1])
    end
  end
  return kept
end

for i = 3, #ARGV, 7 do
  local id, key, holder = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local answer = 'revived'
  local letter = redis.call('XRANGE', prefix .. 'dead', id, id)[1]
  if not letter then
    answer = 'gone'
  elseif key ~= '' then
    local held = redis.call('SET', prefix .. key, holder, 'NX', 'GET', 'EX', ARGV[2])
    if held and held ~= holder then
      answer = 'told'
    end
  end
  if answer == 'revived' then
    redis.call('XADD', prefix .. 'outbox', '*', 'd', ARGV[i + 3], 'p', '', 'o', ARGV[i + 6],
      'q', ARGV[i + 4], 'k', place_of(letter[2], ARGV[i + 5], ARGV[i + 3]))
    redis.call('XDEL', prefix .. 'dead', id)
    redis.call('HINCRBY', prefix .. 'counts', 'revived', 1)
  end
  answers[#answers + 1] = answer
end
if redis.call('XLEN', prefix .. 'outbox') > 0 then
  wake(prefix, ARGV[1])
end
return answers
