-- Shared by settle and sweep: the body of a delivery by its id in `kept`; nil once it was given up.
local function body_of(prefix, id)
  local found = id and id ~= '' and redis.call('XRANGE', prefix .. 'kept', id, id)[1]
  for i = 1, found and #found[2] or 0, 2 do
    if found[2][i] == 'b' then
      return found[2][i + 1]
    end
  end
end

-- Park an entry, with its body: it stays until somebody replays or drops it.
local function park(prefix, reason, fields)
  local parked = {'r', reason}
  for i = 1, #fields, 2 do
    parked[#parked + 1], parked[#parked + 2] = fields[i], fields[i + 1]
    local body = fields[i] == 'k' and body_of(prefix, fields[i + 1])
    if body then
      parked[#parked + 1], parked[#parked + 2] = 'b', body
    end
  end
  redis.call('XADD', prefix .. 'parked', '*', unpack(parked))
end
