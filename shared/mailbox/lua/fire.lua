-- fire: put the message of one occurrence, or of several that were missed, all of one person, into a conversation's priority inbox, and set
-- what is due next, in one step. Nothing rings twice: each item names the revision and the due time that were read, and firing raises the
-- revision. `occurrence` is what rings: of what repeats the newest that has come; `next` (ms, "" for none) is the first that lies ahead.
-- A briefing is a question to the model (`kind` is that of its channel's messages): it stands in the first inbox, a turn like any other.
-- Not while the one before still waits, nor while its person is paused, opted out, or out of reach (`reason`): it is looked at again later,
-- and rings when that ends. A clock that has stepped back since the alarm was read ("again"), or behind the due time ("early"), rings nothing.
-- Answer: a verdict for each item: "rings", "gone", "stale", "again", "early", or why it has to wait.
-- uses: people ringing indexes
-- args: items read_at# reason message kind conv channel sender pair user event wake...
local HELD_BACK = 30000
local t = now()

local function hold_back(id, why)
  if get(reminder_key(id), 'held') == '' then append('reminder_held', 'reminder', id, 'reason', why) end
  redis.call('HSET', reminder_key(id), 'held', why)
  redis.call('ZADD', ALARMS, whole(t + HELD_BACK), id)
  redis.call('ZADD', ALARMS_READ, whole(t), id)
  return why
end

local function verdict(item)
  local id, key = item.id, reminder_key(item.id)
  local person = get(key, 'person')
  if person == '' or get(key, 'state') ~= 'waiting' then
    drop_alarm(id)
    return 'gone'
  end
  if get(key, 'epoch') ~= epoch_of(person) then
    drop_reminder(id, person)
    return 'gone'
  end
  if get(key, 'revision') ~= item.revision or get(key, 'due') ~= item.due then return 'stale' end
  if read_at > t or tonumber(item.due) > t then
    set_alarm(id, person, item.due)
    return read_at > t and 'again' or 'early'
  end
  if item.next ~= '' and tonumber(item.next) <= t then
    set_alarm(id, person, item.due)
    return 'again'
  end
  if reason ~= '' then return hold_back(id, reason) end
  if opted_out(pair) then return hold_back(id, 'opted_out') end
  if paused(pair) then return hold_back(id, 'paused') end
  if still_waits(get(key, 'ring')) then return hold_back(id, 'waits') end
  return 'rings'
end

local function ring_of(item)
  local found = redis.call('HMGET', reminder_key(item.id), 'text', 'zone', 'marked', 'source', 'kind')
  return {
    id = item.id, text = found[1], zone = found[2], marked = found[3] == '1', source = found[4] or '', kind = found[5] or '',
    due = item.occurrence, ['local'] = item.occurrence_local,
  }
end

local function advance(item)
  local key = reminder_key(item.id)
  local person = get(key, 'person')
  redis.call('HINCRBY', key, 'revision', 1)
  redis.call('HINCRBY', key, 'fired', 1)
  redis.call('HSET', key, 'ring', message, 'rung_at', whole(t), 'held', '', 'regular', '')
  if item.next == '' then
    if get(key, 'kind') == 'zone' then drop_reminder(item.id, person) else keep_rung(item.id, person, t) end
  else
    redis.call('HSET', key, 'due', item.next, 'local', item.next_local)
    set_alarm(item.id, person, item.next)
  end
end

local verdicts, rings, late = {}, {}, 0
for place, item in ipairs(cjson.decode(items)) do
  verdicts[place] = verdict(item)
  if verdicts[place] == 'rings' then
    rings[#rings + 1] = ring_of(item)
    late = math.max(late, t - tonumber(item.occurrence))
    advance(item)
  end
end
if #rings == 0 then return verdicts end

redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', pair, 'sender', sender)
redis.call('HSET', msg_key(message), 'v', VERSION, 'id', message, 'conv', conv, 'channel', channel, 'kind', kind,
  'event', event, 'state', 'pending', 'accepted_at', whole(t), 'active_at', whole(active(t, pair)), 'pair', pair, 'sender', sender, 'user', user)
index_message(message, table.concat({user, sender, conv}, ' '), whole(t), t)
redis.call('ZADD', CONVERSATIONS, whole(t), conv)
append('reminder_due', 'conv', conv, 'msg', message, 'channel', channel, 'n', #rings, 'ms', whole(late))
if kind == 'reminder' then
  redis.call('HSET', msg_key(message), 'rings', cjson.encode(rings))
  into_priority(conv, message, t)
else
  into_inbox(conv, message, 0, t)
end
return verdicts
