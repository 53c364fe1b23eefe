-- The effects of the tools for reminders (`effects`). Ids that the model names are looked up under the turn's person, and each change raises
-- the revision, so that a firing which was computed before it is stale. Times are given as texts of digits, in ms.
do
local MOST, MOST_SHOWN, MOST_BYTES = 200, 50, 4000

local function refused(reason) return {ok = false, reason = reason, most = MOST} end

-- What a result says of a reminder; `due` and what goes with it are as stored.
local function shown(id)
  local found = redis.call('HMGET', reminder_key(id), 'text', 'due', 'local', 'zone', 'recurrence', 'channel', 'marked', 'source', 'state', 'kind')
  return {
    id = id, text = found[1] or '', due = found[2] or '', ['local'] = found[3] or '', zone = found[4] or '', recurrence = found[5] or '',
    channel = found[6] or '', marked = found[7] == '1', source = found[8] or '', state = found[9] or '', kind = found[10] or '',
  }
end

-- A person's own reminder, that nobody has erased.
local function own(context, id)
  local key = reminder_key(tostring(id or ''))
  return get(key, 'person') == context.person and get(key, 'epoch') == epoch_of(context.person)
end

local function is_full(person) return redis.call('ZCARD', reminders_key(person)) >= MOST end

local function write(id, context, fields)
  redis.call('HSET', reminder_key(id), 'v', VERSION, 'id', id, 'person', context.person, 'epoch', epoch_of(context.person), 'user', context.user,
    'text', fields.text, 'kind', fields.kind, 'channel', fields.channel, 'marked', fields.marked, 'source', fields.source,
    'due', fields.due, 'local', fields['local'], 'zone', fields.zone, 'recurrence', fields.recurrence, 'revision', 1, 'state', 'waiting',
    'created_at', whole(context.t))
  set_alarm(id, context.person, fields.due)
  append('reminder_set', 'reminder', id, 'turn', context.turn)
end

local function id_of(context) return string.sub(redis.sha1hex(context.turn .. ':' .. context.call), 1, 16) end

-- A new one. What is made of words of others rings once, and is no question to the model.
EFFECTS.remind = function(context, args)
  local id = id_of(context)
  if args.text == '' then return refused('empty') end
  if #args.text > MOST_BYTES then return refused('too_long') end
  if context.marked and args.kind == 'briefing' then return refused('briefing_of_others') end
  if context.marked and args.recurrence ~= '' then return refused('repeat_of_others') end
  if redis.call('EXISTS', reminder_key(id)) == 0 then
    if is_full(context.person) then return refused('too_many') end
    args.marked = context.marked and 1 or 0
    write(id, context, args)
  end
  return {ok = true, reminder = shown(id), number = redis.call('ZCARD', reminders_key(context.person))}
end

local function set_time(id, context, args)
  local key = reminder_key(id)
  redis.call('PERSIST', key)
  redis.call('HSET', key, 'due', args.due, 'local', args['local'], 'zone', args.zone, 'state', 'waiting', 'held', '')
  redis.call('HINCRBY', key, 'revision', 1)
  redis.call('ZREM', rung_key(context.person), id)
  set_alarm(id, context.person, args.due)
  append('reminder_moved', 'reminder', id, 'turn', context.turn)
end

-- Another time. Of what repeats, a time alone moves the next occurrence, and the others stay; what one that has rung is moved to, it rings at
-- once more.
EFFECTS.move_reminder = function(context, args)
  if not own(context, args.id) then return refused('unknown') end
  local id, key = args.id, reminder_key(args.id)
  local rung, once = get(key, 'state') == 'rung', get(key, 'recurrence') ~= '' and args.recurrence == ''
  if rung and is_full(context.person) then return refused('too_many') end
  if (context.marked or get(key, 'marked') == '1') and args.recurrence ~= '' then return refused('repeat_of_others') end
  local before, withdrawn = shown(id), withdraw(id)
  if once then
    if get(key, 'regular') == '' then redis.call('HSET', key, 'regular', get(key, 'due')) end
  else
    redis.call('HSET', key, 'recurrence', args.recurrence, 'regular', '')
  end
  set_time(id, context, args)
  return {ok = true, reminder = shown(id), before = before, once = once, rung = rung and not withdrawn}
end

-- Once more, later: what rings once rings again, and beside what repeats there is one more that rings once.
EFFECTS.snooze_reminder = function(context, args)
  if not own(context, args.id) then return refused('unknown') end
  local key = reminder_key(args.id)
  if get(key, 'recurrence') == '' then
    if get(key, 'state') == 'rung' and is_full(context.person) then return refused('too_many') end
    withdraw(args.id)
    set_time(args.id, context, args)
    return {ok = true, reminder = shown(args.id)}
  end
  local id = id_of(context)
  if redis.call('EXISTS', reminder_key(id)) == 0 then
    if is_full(context.person) then return refused('too_many') end
    withdraw(args.id)
    local fields = shown(args.id)
    fields.due, fields['local'], fields.zone, fields.recurrence, fields.kind = args.due, args['local'], args.zone, '', 'reminder'
    fields.marked = fields.marked and 1 or 0
    write(id, context, fields)
  end
  return {ok = true, reminder = shown(id)}
end

-- One that has rung is gone already, unless its message still waits.
EFFECTS.cancel_reminder = function(context, args)
  if not own(context, args.id) then return refused('unknown') end
  local before, withdrawn = shown(args.id), withdraw(args.id)
  if before.state == 'rung' and not withdrawn then return {ok = false, reason = 'rung', reminder = before} end
  drop_reminder(args.id, context.person)
  append('reminder_cancelled', 'reminder', args.id, 'turn', context.turn)
  return {ok = true, reminder = before, withdrawn = withdrawn}
end

-- What waits, the next first, and what has rung within a day, the newest first. Nothing changes.
EFFECTS.list_reminders = function(context, args)
  local function all(ids)
    local found = {}
    for _, id in ipairs(ids) do
      if own(context, id) and get(reminder_key(id), 'kind') ~= 'zone' then found[#found + 1] = shown(id) end
    end
    return found
  end
  local key = reminders_key(context.person)
  return {
    ok = true, number = redis.call('ZCARD', key), reminders = all(redis.call('ZRANGE', key, 0, MOST_SHOWN - 1)),
    rung = all(redis.call('ZREVRANGE', rung_key(context.person), 0, 9)),
  }
end
end
