-- zones: the time zones of the users, in the place of those that were known. A person's day and month are reckoned by it. Who has another
-- than before is noted in the same step: they are asked whether their reminders move with them (`ask_zone`).
-- uses: moved_zones
-- args: users...
local key = K.zones
local before, flat = {}, redis.call('HGETALL', key)
for i = 1, #flat, 2 do before[flat[i]] = flat[i + 1] end
redis.call('DEL', key)
for i = users, #ARGV, 2 do
  local user, zone = ARGV[i], ARGV[i + 1]
  if before[user] ~= zone then redis.call('SADD', ZONE_CHANGED, user) end
  before[user] = nil
  redis.call('HSET', key, user, zone)
end
for user in pairs(before) do redis.call('SADD', ZONE_CHANGED, user) end
return ''
