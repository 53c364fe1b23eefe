-- alarms: the reminders that are due, the longest due first, at most `limit`; or all of `person` that are. Each is scored later in the same
-- step, so that one that cannot be computed holds up no other, and two who look do not both get it; and not so late that what a process
-- read before it died would not ring in time.
-- One that was scored by a clock which has stepped back since is due again at its own time.
-- Answer: {now, records}; a record is flat, with `entry`, the id of its person's entry of the users file as it is now.
-- uses: people ringing
-- args: limit# person
local LOOK_AGAIN, LOOKED_AT_ONCE = 3000, 100
local t, found = now(), {}

for _, id in ipairs(redis.call('ZRANGEBYSCORE', ALARMS_READ, '(' .. whole(t), '+inf', 'LIMIT', 0, LOOKED_AT_ONCE)) do
  redis.call('ZREM', ALARMS_READ, id)
  if redis.call('EXISTS', reminder_key(id)) == 1 then redis.call('ZADD', ALARMS, get(reminder_key(id), 'due'), id) end
end

local set = person == '' and ALARMS or reminders_key(person)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', whole(t), 'LIMIT', 0, limit)) do
  local key = reminder_key(id)
  local whose, due = get(key, 'person'), number(key, 'due')
  if whose == '' or get(key, 'state') ~= 'waiting' then
    drop_alarm(id)
  elseif get(key, 'epoch') ~= epoch_of(whose) then
    drop_reminder(id, whose)
  elseif due > t then
    set_alarm(id, whose, whole(due))
  else
    redis.call('ZADD', ALARMS, whole(t + LOOK_AGAIN), id)
    redis.call('ZADD', ALARMS_READ, whole(t), id)
    local record, entry = redis.call('HGETALL', key), get(K.person .. whose, 'user')
    record[#record + 1], record[#record + 2] = 'entry', entry ~= '' and entry or get(key, 'user')
    found[#found + 1] = record
  end
end
return {whole(t), found}
