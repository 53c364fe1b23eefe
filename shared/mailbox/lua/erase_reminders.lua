-- erase_reminders: all of a person's reminders go, those that wait and those that have rung. `user` is their entry of the users file.
-- Answer: how many.
-- uses: people ringing
-- args: user
local person, n = redis.call('HGET', K.people, user) or '', 0
if person == '' then return 0 end
for _, key in ipairs({reminders_key(person), rung_key(person)}) do
  for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    drop_reminder(id, person)
    n = n + 1
  end
end
return n
