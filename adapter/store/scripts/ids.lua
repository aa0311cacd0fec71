-- Shared by begin and settle: which of two ids of a stream is the earlier.
local function is_earlier(one, other)
  local at, number = string.match(one, '^(%d+)-(%d+)$')
  local other_at, other_number = string.match(other, '^(%d+)-(%d+)$')
  if at ~= other_at then
    return tonumber(at) < tonumber(other_at)
  end
  return tonumber(number) < tonumber(other_number)
end

