-- zones: the time zones of the users, in the place of those that were known. A person's day and month are reckoned by it.
-- args: users...
local key = P .. 'zones'
redis.call('DEL', key)
for i = users, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
return ''
