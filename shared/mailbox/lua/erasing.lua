-- What the scripts of an erasure share. A turn of a person's that is under way is nobody's any more: its holder is fenced out, stores nothing
-- and sends nothing. `theirs` are the ids of what goes, as a set.
local Erase = {}

function Erase.is_of(turn, theirs)
  if turn == '' then return false end
  if theirs[turn] then return true end
  for _, id in ipairs(turn_messages(turn)) do
    if theirs[id] then return true end
  end
  return false
end

-- What a turn holds beside what goes (a person may write on) waits as if it had never been in one.
function Erase.dissolve(conv, turn, theirs)
  unbind(conv, turn)
  for _, id in ipairs(turn_messages(turn)) do
    if not theirs[id] and get(msg_key(id), 'state') == 'in_turn' then redis.call('HSET', msg_key(id), 'state', 'pending', 'turn', '') end
  end
end

-- Answer: 1 where a lease was broken.
function Erase.break_lease(conv, theirs, t)
  local key, broken = conv_key(conv), 0
  local turn, bound = get(key, 'turn'), bound_turn(conv)
  if Erase.is_of(turn, theirs) then
    broken = get(key, 'token') ~= '' and 1 or 0
    release_slot(conv, t)
    redis.call('HSET', key, 'token', '', 'lease_end', 0, 'turn', '')
    Erase.dissolve(conv, turn, theirs)
  end
  if bound ~= turn and Erase.is_of(bound, theirs) then Erase.dissolve(conv, bound, theirs) end
  return broken
end

-- Who looks at the conversation next, where something waits in it.
function Erase.schedule(conv, t)
  if redis.call('EXISTS', inbox_key(conv), priority_key(conv)) > 0 then
    schedule(conv, t, t)
  else
    redis.call('ZREM', DUE, conv)
    redis.call('ZREM', PRIORITY.due, conv)
  end
end

-- What leads mails to the conversation.
function Erase.forget_threads(conv)
  for _, name in ipairs(redis.call('ZRANGE', K.threads .. conv, 0, -1)) do
    if redis.call('GET', name) == conv then redis.call('DEL', name) end
  end
  redis.call('DEL', K.threads .. conv)
end

-- Whether nothing is left of a conversation: no message waits, and its history names no record that there is.
function Erase.is_empty(conv, history)
  if redis.call('EXISTS', inbox_key(conv), priority_key(conv)) > 0 or get(conv_key(conv), 'token') ~= '' then return false end
  for _, entry in ipairs(redis.call('LRANGE', history, 0, -1)) do
    local kind, id = string.sub(entry, 1, 1), string.sub(entry, 3)
    if kind ~= 'b' and redis.call('EXISTS', kind == 'm' and msg_key(id) or reply_key(id)) == 1 then return false end
  end
  return true
end

-- What is asked of another for somebody stands in the other's conversation: it is none of theirs (`users`) any more.
function Erase.drop_conversation(conv, history, users)
  for user in pairs(users) do
    local person = redis.call('HGET', K.people, user)
    if person then redis.call('ZREM', K.talks .. person, conv) end
  end
  local sender = get(conv_key(conv), 'sender')
  if sender ~= '' then redis.call('ZREM', waiting_key(sender), conv) end
  if get(K.alone, 'conv') == conv then redis.call('DEL', K.alone) end
  redis.call('DEL', conv_key(conv), history, K.wake .. conv, K.unsure .. conv, K.index .. conv)
  redis.call('ZREM', K.indexes, conv)
  redis.call('ZREM', K.conversations, conv)
end

-- What the conversation's record holds of what was said in it: digests, and names of records that are gone.
function Erase.forget_what_was_said(conv)
  local key = conv_key(conv)
  redis.call('HDEL', key, 'heard', 'heard_at', 'echoes', 'silent_since', 'said', 'said_before', 'said_at', 'asks')
  for _, field in ipairs({'rest', 'begins', 'begins_before', 'notice', 'asked'}) do
    local id = get(key, field)
    local record = field == 'notice' and msg_key(id) or field == 'asked' and Approvals.key(id) or reply_key(id)
    if id ~= '' and redis.call('EXISTS', record) == 0 then redis.call('HDEL', key, field) end
  end
end
