-- alarms: the reminders that are due, the longest due first, at most `limit`; or all of `person` that are. Each is scored later in the same
-- step, so that one that cannot be computed holds up no other, and two who look do not both get it; and not so late that what a process
-- read before it died would not ring in time.
-- One that was scored by a clock which has stepped back since is due again at its own time.
-- What quiet hours hold back is among them (`outgoing_messages`), for who asks for all: its record is that of its message.
-- Answer: {now, records}; a record is flat, with `entry`, the id of its person's entry of the users file as it is now.
-- uses: people ringing outgoing_messages
-- args: limit# person
local LOOK_AGAIN, LOOKED_AT_ONCE = 3000, 100
local t, found = now(), {}

for _, id in ipairs(redis.call('ZRANGEBYSCORE', ALARMS_READ, '(' .. whole(t), '+inf', 'LIMIT', 0, LOOKED_AT_ONCE)) do
  redis.call('ZREM', ALARMS_READ, id)
  local record = Outgoing.is(id) and msg_key(id) or reminder_key(id)
  if redis.call('EXISTS', record) == 1 then redis.call('ZADD', ALARMS, get(record, 'due'), id) end
end

local set = person == '' and ALARMS or reminders_key(person)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', whole(t), 'LIMIT', 0, limit)) do
  local ours = Outgoing.is(id)
  local key = ours and msg_key(id) or reminder_key(id)
  local whose, due = get(key, 'person'), number(key, 'due')
  if get(key, 'state') ~= (ours and 'pending' or 'waiting') or (whose == '' and not ours) then
    drop_alarm(id)
  elseif not ours and get(key, 'epoch') ~= epoch_of(whose) then
    drop_reminder(id, whose)
  elseif not ours and due > t then
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
