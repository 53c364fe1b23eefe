-- Reminders: a record each, when it is to be looked at, and what of it still waits in an inbox. A reminder belongs to a person and a channel,
-- not to a conversation. `ALARMS` scores each that waits by its due time; whoever reads one scores it later and notes in `ALARMS_READ` when.

local ALARMS, ALARMS_READ = K.alarms, K.alarms_read
local RUNG_KEPT, MOST_RUNG = 86400000, 50

local function reminder_key(id) return K.reminder .. id end
local function reminders_key(person) return K.reminders .. person end
local function rung_key(person) return K.rung .. person end

local function drop_alarm(id)
  redis.call('ZREM', ALARMS, id)
  redis.call('ZREM', ALARMS_READ, id)
end

-- It waits for this time; `person` finds it by it.
local function set_alarm(id, person, due)
  redis.call('ZADD', ALARMS, due, id)
  redis.call('ZREM', ALARMS_READ, id)
  redis.call('ZADD', reminders_key(person), due, id)
end

local function drop_reminder(id, person)
  drop_alarm(id)
  redis.call('ZREM', reminders_key(person), id)
  redis.call('ZREM', rung_key(person), id)
  redis.call('DEL', reminder_key(id))
end

-- What was to ring once has rung: it stays a day, for who wants it once more.
local function keep_rung(id, person, t)
  drop_alarm(id)
  redis.call('ZREM', reminders_key(person), id)
  redis.call('ZADD', rung_key(person), whole(t), id)
  redis.call('HSET', reminder_key(id), 'state', 'rung')
  redis.call('PEXPIRE', reminder_key(id), RUNG_KEPT)
  redis.call('PEXPIRE', rung_key(person), RUNG_KEPT)
  redis.call('ZREMRANGEBYRANK', rung_key(person), 0, -MOST_RUNG - 1)
end

-- Whether a firing's message is still to be sent: no attempt was made, and nobody has taken it back.
local function still_waits(message)
  local state = message ~= '' and get(msg_key(message), 'withdrawn') ~= '1' and get(msg_key(message), 'state') or ''
  if state == 'pending' then return true end
  if state ~= 'in_turn' then return false end
  local attempts = get(reply_key(reply_of(get(msg_key(message), 'turn'))), 'attempts')
  return attempts == '' or attempts == '[]'
end

-- Take a firing back that still waits: its message is not sent, or says nothing of this reminder where it tells of others too. A briefing's
-- question may be in a turn with others by now, and stays.
local function withdraw(id)
  local message = get(reminder_key(id), 'ring')
  if not still_waits(message) or get(msg_key(message), 'kind') ~= 'reminder' then return false end
  local others = {}
  for _, ring in ipairs(cjson.decode(get(msg_key(message), 'rings'))) do
    if ring.id ~= id then others[#others + 1] = ring end
  end
  if #others == 0 then
    redis.call('HSET', msg_key(message), 'withdrawn', 1)
  elseif redis.call('EXISTS', reply_key(reply_of(get(msg_key(message), 'turn')))) == 0 then
    redis.call('HSET', msg_key(message), 'rings', cjson.encode(others))
  else
    return false
  end
  return true
end
