-- move_zone: reminders of a person go by the clock of another zone from now on. `items` are {id, revision, due, local, regular}, as they are to
-- be; one that was changed since it was read, or has rung, stays. A repeat finds nothing to do, for a move raises the revision.
-- Answer: how many were moved.
-- uses: people ringing
-- args: user zone items
local person, n = redis.call('HGET', PEOPLE, user) or '', 0
for _, item in ipairs(cjson.decode(items)) do
  local key = reminder_key(item.id)
  if person ~= '' and get(key, 'person') == person and get(key, 'epoch') == epoch_of(person) and get(key, 'state') == 'waiting'
    and get(key, 'revision') == item.revision then
    redis.call('HSET', key, 'zone', zone, 'due', item.due, 'local', item['local'], 'regular', item.regular, 'held', '')
    redis.call('HINCRBY', key, 'revision', 1)
    set_alarm(item.id, person, item.due)
    append('reminder_moved', 'reminder', item.id, 'turn', '')
    n = n + 1
  end
end
return n
