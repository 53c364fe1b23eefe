-- retry: the operator wants a parked message answered after all. Appended at the tail, age and counts reset. Pending attempts
-- of its old reply (the caller has looked them up) make the next reply a `maybe_duplicate`. A request for it (`request_retry`) ends in the
-- same step, so that it is served once; one that has ended is not served again.
-- A turn that had a step comes back as a whole, with its id, its steps and its reply: under another id its effects would happen again. An
-- attempt that may have been taken is forgiven: the operator wants the reply sent all the same. Answer: {outcome, conv, channel}.
-- uses: turns replies requests
-- args: id operation retention by user pair sender wake...
local key, t = msg_key(id), now()
local conv, channel, ended = get(key, 'conv'), get(key, 'channel'), get(request_key(operation), 'result')
if ended ~= '' then return {ended == 'retried' and 'done' or 'over', conv, channel} end
if redis.call('EXISTS', key) == 0 then
  end_request(operation, 'unknown', '', t)
  return {'unknown', '', ''}
end
if get(key, 'operation') == operation then return {'done', conv, channel} end
if get(key, 'state') ~= 'parked' or get(key, 'called') == '1' then
  end_request(operation, get(key, 'state') == 'answered' and 'answered' or 'not_parked', get(key, 'state'), t)
  return {'not_parked', conv, channel}
end

local parked_turn = get(key, 'turn')
-- The conversation's record may have gone before this one: whose the message is, and whom an opt-out is asked for, stands in its own.
-- One of an older version is told by the caller, from its event.
if get(key, 'pair') == '' and pair ~= '' then redis.call('HSET', key, 'pair', pair, 'sender', sender, 'user', user) end
if get(key, 'pair') ~= '' then
  redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', get(key, 'pair'), 'sender', get(key, 'sender'))
end
local list = attempts_of(reply_of(parked_turn))
local duplicate = (count_outcomes(list, '') > 0 or count_outcomes(list, 'absent') > 0) and '1' or get(key, 'maybe_duplicate')
local whole_turn = parked_turn ~= '' and redis.call('HEXISTS', turn_key(parked_turn), 'step:answer:1') == 1

local function begin_anew(name, state, turn)
  local before = get(msg_key(name), 'turn')
  if before ~= turn and before ~= '' then redis.call('HSET', msg_key(name), 'turns', get(msg_key(name), 'turns') .. before .. ' ') end
  redis.call('HSET', msg_key(name), 'operation', operation, 'state', state, 'reason', '', 'errors', 0, 'lost', 0, 'asked', 0, 'turn', turn,
    'active_at', whole(active(t, get(conv_key(conv), 'pair'))), 'maybe_duplicate', duplicate)
  redis.call('ZREM', K.parked, name)
end

local function bring_back(turn)
  for _, name in ipairs(turn_messages(turn)) do
    if get(msg_key(name), 'state') == 'parked' then
      begin_anew(name, 'in_turn', turn)
      into_inbox(conv, name, 0, t)
    end
  end
  local reply = reply_of(turn)
  if redis.call('EXISTS', reply_key(reply)) == 0 then return end
  redis.call('HSET', reply_key(reply), 'state', count_outcomes(list, '') > 0 and 'sending' or 'stored', 'maybe_sent', 0,
    'forgiven', count_outcomes(list, 'absent'))
end

if whole_turn then
  bring_back(parked_turn)
else
  begin_anew(id, 'pending', '')
  release_turn(parked_turn, retention)
  local by_code = get(key, 'command') ~= '' or get(key, 'answer') ~= '' or get(key, 'kind') == 'reminder' or get(key, 'kind') == 'copy'
    or get(key, 'kind') == 'outgoing'
  if by_code then into_priority(conv, id, t) else into_inbox(conv, id, 0, t) end
end
end_request(operation, 'retried', '', t)
append('retried', 'conv', conv, 'msg', id, 'by', by, 'user', user)
return {'done', conv, channel}
