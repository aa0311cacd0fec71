-- Dead letters go out again, as they are.
-- KEYS[1] prefix; ARGV 1 now (ISO), 2 seconds a business key is remembered, then for each letter:
-- its id in `dead`, business key ref or "", the delivery that would hold it, delivery, operation,
-- its delivery's id in `kept`
-- Answers for each: "revived", "gone" (somebody else was faster), or "told": another delivery has
-- told the event since; it stays dead.
local prefix = KEYS[1]
local answers = {}
for i = 3, #ARGV, 6 do
  local id, key, holder = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local answer = 'revived'
  if not redis.call('XRANGE', prefix .. 'dead', id, id)[1] then
    answer = 'gone'
  elseif key ~= '' then
    local held = redis.call('SET', prefix .. key, holder, 'NX', 'GET', 'EX', ARGV[2])
    if held and held ~= holder then
      answer = 'told'
    end
  end
  if answer == 'revived' then
    redis.call('XADD', prefix .. 'outbox', '*', 'd', ARGV[i + 3], 'p', '', 'o', '',
      'q', ARGV[i + 4], 'k', ARGV[i + 5])
    redis.call('XDEL', prefix .. 'dead', id)
    redis.call('HINCRBY', prefix .. 'counts', 'revived', 1)
  end
  answers[#answers + 1] = answer
end
if redis.call('XLEN', prefix .. 'outbox') > 0 then
  wake(prefix, ARGV[1])
end
return answers
