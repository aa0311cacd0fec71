-- Write a product's record down, unless what is known of it is newer; 1 when it was written.
-- Of two bodies of one second the one that says "removed" came last.
local function remember_product(prefix, ref, record, as_of, seconds)
  local product = prefix .. ref
  as_of = tonumber(as_of)
  local known = redis.call('GET', product)
  known = known and cjson.decode(known)
  if known and (known.as_of > as_of
      or (known.as_of == as_of and known.removed and not cjson.decode(record).removed)) then
    return 0
  end
  redis.call('SET', product, record, 'EX', seconds)
  return 1
end
