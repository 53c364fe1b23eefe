-- waiting_reminders: all reminders of a person that wait, the next first. Answer: {now, records}; a record is flat.
-- uses: people ringing
-- args: user
local person, found = redis.call('HGET', PEOPLE, user), {}
for _, id in ipairs(person and redis.call('ZRANGE', reminders_key(person), 0, -1) or {}) do
  local key = reminder_key(id)
  if get(key, 'state') == 'waiting' and get(key, 'kind') ~= 'zone' and get(key, 'epoch') == epoch_of(person) then
    local record = redis.call('HGETALL', key)
    record[#record + 1], record[#record + 2] = 'entry', user
    found[#found + 1] = record
  end
end
return {whole(now()), found}
