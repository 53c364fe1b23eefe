-- ask_zone: ask a person, once for each zone, whether the reminders move that were set by the clock of another. The question is a message of
-- code's: it is put as a reminder that is due at once, so that it waits for nobody, rings once, and goes where its person can be reached.
-- `zone` is theirs now; `shows` what its clock shows at `due`. Answer: how many reminders it is about; 0 where nothing is asked.
-- uses: people ringing moved_zones
-- args: user zone id due shows
redis.call('SREM', ZONE_CHANGED, user)
local person = redis.call('HGET', PEOPLE, user)
if not person or get(person_key(person), 'asked_zone') == zone then return 0 end
local n, old, first = 0, '', ''
for _, each in ipairs(redis.call('ZRANGE', reminders_key(person), 0, -1)) do
  local set_by = get(reminder_key(each), 'zone')
  if set_by ~= zone and get(reminder_key(each), 'kind') ~= 'zone' then
    n = n + 1
    if n == 1 then old, first = set_by, each end
  end
end
if n == 0 then return 0 end
redis.call('HSET', person_key(person), 'asked_zone', zone)
redis.call('HSET', reminder_key(id), 'v', VERSION, 'id', id, 'person', person, 'epoch', epoch_of(person), 'user', user, 'text', old,
  'kind', 'zone', 'channel', get(reminder_key(first), 'channel'), 'marked', 0, 'source', n, 'due', due, 'local', shows, 'zone', zone,
  'recurrence', '', 'revision', 1, 'state', 'waiting', 'created_at', due)
set_alarm(id, person, due)
append('reminder_set', 'reminder', id, 'turn', '')
return n
