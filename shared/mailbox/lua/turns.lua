-- Closing a turn and giving one up; used by the scripts that end a lease.

local function turn_messages(turn)
  local list = turn ~= '' and get(turn_key(turn), 'messages') or ''
  return list ~= '' and cjson.decode(list) or {}
end

-- The inbox that a turn's messages stand in, also after the turn was formed by an older version.
local function box_of(turn) return get(turn_key(turn), 'priority') == '1' and PRIORITY or FIRST end

-- What a turn has done so far, by names that are written once (`step`). From the first step on nothing dissolves it.
local function steps_key(turn) return K.steps .. turn end

-- The turn with a step whose messages stand at the head of the first inbox; "" where none does. It may be under way, or wait.
local function bound_turn(conv) return get(conv_key(conv), 'bound') end

local function unbind(conv, turn)
  if turn ~= '' and bound_turn(conv) == turn then
    redis.call('HSET', conv_key(conv), 'bound', '')
    redis.call('DEL', steps_key(turn))
  end
end

-- A turn with a stored reply: nobody forms another one before it has ended.
local function replied_turn(conv)
  local turn = get(conv_key(conv), 'turn')
  return turn ~= '' and redis.call('EXISTS', reply_key(reply_of(turn))) == 1 and turn or ''
end

-- The agenda of a conversation that nobody holds: each inbox has its own not-before, and that of a turn with a stored reply holds both; what
-- can be claimed now is looked at `soon`, in case nobody does so. Answer: whether something can be claimed now.
local function schedule(conv, soon, t)
  local replied, ready = replied_turn(conv), false
  for _, box in ipairs({PRIORITY, FIRST}) do
    if redis.call('EXISTS', box.inbox(conv)) == 1 then
      local at = not_before(conv, replied ~= '' and box_of(replied) or box, t)
      redis.call('ZADD', box.due, whole(at > t and at or soon), conv)
      ready = ready or at <= t
    else
      redis.call('ZREM', box.due, conv)
    end
  end
  return ready
end

-- An end state for one message. Its record goes when the retention has passed; a parked one stays until somebody acts. The files that
-- came with it go a day later, for a person who asks once more.
local function settle_message(id, conv, turn, state, reason, retention, t)
  redis.call('HSET', msg_key(id), 'state', state, 'reason', reason, 'done_at', whole(t))
  if state == 'parked' then
    redis.call('ZADD', K.parked, whole(t), id)
  else
    redis.call('ZREM', K.parked, id)
    redis.call('PEXPIRE', msg_key(id), retention)
    shorten_files(get(msg_key(id), 'files'), math.min(86400000, tonumber(retention)), t)
  end
  append(state, 'conv', conv, 'msg', id, 'turn', turn, 'reply', reply_of(turn), 'reason', reason)
end

-- A parked turn's reply and texts are kept for its messages; when the last of them went on, they go like any other.
local function release_turn(turn, retention)
  for _, id in ipairs(turn_messages(turn)) do
    if get(msg_key(id), 'state') == 'parked' and get(msg_key(id), 'turn') == turn then return end
  end
  redis.call('PEXPIRE', reply_key(reply_of(turn)), retention)
  redis.call('PEXPIRE', turn_key(turn), retention)
  redis.call('DEL', steps_key(turn))
end

-- What the conversation remembers: ids only, so that the texts go with their records, and the newest thousand of them. What a question
-- shows of it begins where its record says (`history`).
local function remember(conv, turn, retention)
  local MOST_TALKS_KEPT = 50
  local key = K.history .. conv
  for _, id in ipairs(turn_messages(turn)) do
    local kind = get(msg_key(id), 'kind')
    local by_us = kind == 'notice' or kind == 'reminder' or kind == 'question' or kind == 'approved' or kind == 'copy' or kind == 'outgoing'
    if not by_us then redis.call('RPUSH', key, 'm:' .. id) end
  end
  if redis.call('EXISTS', reply_key(reply_of(turn))) == 1 then redis.call('RPUSH', key, 'r:' .. reply_of(turn)) end
  redis.call('LTRIM', key, -1000, -1)
  for _, kept in ipairs({key, K.summary .. conv, K.summary .. conv .. ':other'}) do redis.call('PEXPIRE', kept, retention) end
  -- The person's other conversations show the last of this one (`memory_of`). The key is `talks_key`'s, which not every script has.
  local person = redis.call('HGET', K.people, get(turn_key(turn), 'user'))
  if person then
    local talks = K.talks .. person
    redis.call('ZADD', talks, whole(now()), conv)
    redis.call('ZREMRANGEBYRANK', talks, 0, -MOST_TALKS_KEPT - 1)
    redis.call('PEXPIRE', talks, retention)
  end
end

-- What is left after a turn ended, and the next job for it; the answer is remembered for a repeat of the call.
local function close_lease(conv, retention, t)
  local key = conv_key(conv)
  local result = 'empty'
  release_slot(conv, t)
  if redis.call('EXISTS', inbox_key(conv), priority_key(conv)) > 0 then
    result = 'more'
    if schedule(conv, t + 1000, t) then wake(conv, t) end
  else
    redis.call('ZREM', DUE, conv)
    redis.call('PEXPIRE', key, retention)
  end
  redis.call('HSET', key, 'last_result', result)
  return result
end

-- Messages that came while the turn ran stay in the inbox for the next one: only the turn's own are removed, and the lease ends. A
-- message that was handed over meanwhile keeps that state. A parked turn keeps its steps, for a retry goes on behind them. What was done for
-- who has opted out meanwhile is told when they opt in again (`owed`).
local function close_turn(conv, token, state, reason, retention, t)
  local key = conv_key(conv)
  local turn = get(key, 'turn')
  local reply = reply_key(reply_of(turn))
  redis.call('HSET', key, 'token', '', 'lease_end', 0, 'turn', '', 'last_token', token)
  for _, id in ipairs(turn_messages(turn)) do
    out_of_inbox(conv, id)
    if get(msg_key(id), 'state') == 'in_turn' then settle_message(id, conv, turn, state, reason, retention, t) end
  end
  if state == 'parked' and turn ~= '' and bound_turn(conv) == turn then redis.call('HSET', key, 'bound', '') else unbind(conv, turn) end
  if reason == 'opted_out' and number(reply, 'receipts') > 0 then
    local owed = K.owed .. get(key, 'pair')
    redis.call('RPUSH', owed, reply_of(turn))
    redis.call('LTRIM', owed, -20, -1)
    redis.call('PEXPIRE', owed, retention)
  end
  if state == 'answered' then remember(conv, turn, retention) end
  if state ~= 'parked' then
    redis.call('PEXPIRE', reply, retention)
    redis.call('PEXPIRE', turn_key(turn), retention)
  end
  return close_lease(conv, retention, t)
end

-- `close_turn` for the holder; what it answered to one that has closed it, and "lost" to anybody else.
local function finish_turn(conv, token, state, reason, retention, t)
  local key = conv_key(conv)
  if get(key, 'token') == token then return close_turn(conv, token, state, reason, retention, t) end
  if get(key, 'last_token') == token then return get(key, 'last_result') end
  return 'lost'
end

-- Whether a message is too old to be answered; a reminder says that it is late, or missed, and what a program has us say has an end of its own. It is never older by the clock that stands still in pauses than by the other one.
local function too_old(id, pair, oldest, t)
  local since, kind = number(msg_key(id), 'active_at'), get(msg_key(id), 'kind')
  if kind == 'outgoing' then return t >= number(msg_key(id), 'expires_at') end
  return since > 0 and kind ~= 'reminder' and t - since > oldest and active(t, pair) - since > oldest
end

-- A turn without a step or a stored reply is formed anew next time: its messages wait in the inbox again. One with a step keeps its id and
-- its messages, for every effect of it would happen again under another; the next claim of its inbox resumes it.
local function dissolve(conv)
  local turn = get(conv_key(conv), 'turn')
  if turn == '' or redis.call('EXISTS', reply_key(reply_of(turn))) == 1 then return end
  if turn == bound_turn(conv) then
    redis.call('HSET', conv_key(conv), 'turn', '')
    return
  end
  for _, id in ipairs(turn_messages(turn)) do
    if get(msg_key(id), 'state') == 'in_turn' then redis.call('HSET', msg_key(id), 'state', 'pending', 'turn', '') end
  end
  redis.call('HSET', conv_key(conv), 'turn', '')
  redis.call('DEL', turn_key(turn))
end

-- The holder's lease, from now on at its full length. Answer: its new end.
local function extend_lease(conv, lease, t)
  local key, lease_end = conv_key(conv), t + lease
  redis.call('HSET', key, 'lease_end', whole(lease_end))
  local box = box_of(get(key, 'turn'))
  redis.call('ZADD', box.due, whole(lease_end), conv)
  local process, sender = get(key, 'holder'), get(key, 'sender')
  if process ~= '' then redis.call('ZADD', held_key(process), whole(lease_end), conv) end
  if sender ~= '' and box == FIRST then redis.call('ZADD', busy_key(sender), whole(lease_end), conv) end
  return lease_end
end

-- Give up the lease and let nobody claim from the turn's inbox before `at`; where something can be claimed now, the next job is enqueued.
local function give_up(conv, token, at, t)
  local box = box_of(get(conv_key(conv), 'turn'))
  redis.call('HSET', conv_key(conv), 'token', '', 'lease_end', 0, 'last_token', token, 'last_result', 'more')
  wait_until(conv, box, at, t)
  dissolve(conv)
  release_slot(conv, t)
  if redis.call('EXISTS', inbox_key(conv), priority_key(conv)) == 0 then
    redis.call('ZREM', DUE, conv)
    redis.call('HSET', conv_key(conv), 'not_before', 0, 'last_result', 'empty')
    return 'empty'
  end
  if schedule(conv, t, t) then wake(conv, t) end
  return 'more'
end
