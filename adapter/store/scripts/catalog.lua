-- Fill the catalog with many products at once. Calling it twice is the same as calling it once.
-- KEYS[1]  the workspace's prefix
-- ARGV     1 seconds that a product is remembered; then (product ref, record, its as_of) triples
-- Answers for each of them 1, or 0 where a newer one was known.
local stored = {}
for i = 2, #ARGV, 3 do
  stored[#stored + 1] = remember_product(KEYS[1], ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[1])
end
return stored
