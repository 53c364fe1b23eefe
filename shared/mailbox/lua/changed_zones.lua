-- changed_zones: the users whose zone has changed, and who have not been asked about it yet; at most `limit`.
-- Answer: {now, user, ...}.
-- uses: moved_zones
-- args: limit#
local found = {whole(now())}
for place, user in ipairs(redis.call('SMEMBERS', ZONE_CHANGED)) do
  if place <= limit then found[#found + 1] = user end
end
return found
