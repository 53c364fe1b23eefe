-- Approvals: a call of a tool that waits for a yes. A record of its own holds what is to be called, as it was asked about; who asked for it, in
-- which conversation, and who is to answer. `sending` stamps the question with a number of the counter from which `accept` takes those of the
-- answers, and its minutes start (`send_permit`). Who answers is judged when the answer is served, by the number and the time at which it was
-- accepted.
do

-- Put what a script makes for another conversation, or for its holder's own, into an inbox: no job comes with it, the sweep enqueues one.
local function put(box, conv, id, t)
  local length = redis.call('RPUSH', box.inbox(conv), id)
  redis.call('ZADD', OPEN, whole(t), id)
  if length > 1 then return end
  redis.call('PERSIST', conv_key(conv))
  wait_until(conv, box, t, t)
  note_time(t)
  redis.call('ZADD', box.due, whole(get(conv_key(conv), 'token') == '' and t or t + 1000), conv)
end

local function list(key, id, kept, t)
  redis.call('ZADD', key, whole(t), id)
  redis.call('ZREMRANGEBYRANK', key, 0, -201)
  redis.call('PEXPIRE', key, whole(kept))
end

-- Whether a question may still be answered by what was accepted at `at`. A clock that has stepped back gives it no more than its minutes.
function Approvals.in_time(key, at, t)
  local ends = number(key, 'until')
  local cut = capped(ends, Approvals.WINDOW, t, 'approval', 'approval', get(key, 'id'))
  if cut ~= ends then redis.call('HSET', key, 'until', whole(cut)) end
  return at <= cut
end

-- The record of a question, with all calls that it is about. A newer one about the same tools ends the older one. It goes with the reply that
-- asks for it, or, for another person or by another channel, by a message of its own (`ask.message`).
function Approvals.ask(ask, conv, turn, bridge, retention, t)
  local key, talk = Approvals.key(ask.id), conv_key(conv)
  local other, kept = ask.message, math.max(tonumber(retention), Approvals.KEPT)
  if ask.person ~= '' and epoch_of(ask.person) ~= ask.epoch then return end
  for _, id in ipairs(redis.call('ZRANGE', Approvals.of_user(ask.user), 0, -1)) do
    if get(Approvals.key(id), 'user') == ask.user and get(Approvals.key(id), 'kind') == ask.kind then Approvals.close(id, 'withdrawn', t) end
  end
  local pair = get(talk, 'pair')
  local asked_pair = other and other.pair or pair
  redis.call('HSET', key, 'v', VERSION, 'id', ask.id, 'state', 'pending', 'code', ask.code, 'kind', ask.kind, 'calls', ask.calls,
    'event', ask.event, 'mixed', ask.mixed, 'user', ask.user, 'person', ask.person, 'epoch', ask.epoch, 'approver', ask.approver,
    'named', ask.named, 'conv', conv, 'channel', get(talk, 'channel'), 'pair', pair, 'sender', get(talk, 'sender'), 'turn', turn,
    'bridge', bridge and 1 or 0, 'asked_conv', other and other.conv or conv, 'asked_pair', asked_pair, 'question', other and other.id or '',
    'at', whole(t), 'until', 0, 'first', 0, 'number', 0)
  redis.call('PEXPIRE', key, whole(kept))
  redis.call('SET', Approvals.code_key(ask.approver, ask.code), ask.id, 'PX', whole(kept))
  list(Approvals.of_user(ask.user), ask.id, kept, t)
  list(Approvals.of_user(ask.approver), ask.id, kept, t)
  list(Approvals.of_pair(pair), ask.id, kept, t)
  list(Approvals.of_pair(asked_pair), ask.id, kept, t)
  append('approval_asked', 'conv', conv, 'turn', turn, 'approval', ask.id)
  if not other then return end
  redis.call('HSET', conv_key(other.conv), 'channel', other.channel, 'pair', other.pair, 'sender', other.sender)
  redis.call('HSET', msg_key(other.id), 'v', VERSION, 'id', other.id, 'conv', other.conv, 'channel', other.channel, 'kind', 'question',
    'event', other.event, 'approval', ask.id, 'state', 'pending', 'accepted_at', whole(t), 'active_at', whole(active(t, other.pair)),
    'pair', other.pair, 'sender', other.sender, 'user', ask.approver, 'index', beside_index(ask.user))
  index_message(other.id, table.concat({ask.approver, other.sender, other.conv, beside_index(ask.user)}, ' '), whole(t), t)
  put(PRIORITY, other.conv, other.id, t)
end

-- How many questions a bare word in this conversation may mean.
local function open_here(conv, pair, user, at, t)
  local n = 0
  for _, id in ipairs(redis.call('ZRANGE', Approvals.of_pair(pair), 0, -1)) do
    local key = Approvals.key(id)
    if get(key, 'state') == 'pending' and get(key, 'asked_conv') == conv and get(key, 'approver') == user and number(key, 'first') > 0
      and Approvals.in_time(key, at, t) then n = n + 1 end
  end
  return n
end

-- Whether "always" says more about a question than "yes": not where words of others were shown, nor where nothing can be kept.
local function keeps_always(key)
  if get(key, 'mixed') == '1' then return false end
  for _, call in ipairs(cjson.decode(get(key, 'calls'))) do
    if call.always ~= '' then return true end
  end
  return false
end

-- What an answer comes to: "text" (it answers nothing, and is an ordinary message), "which", "already", "expired", "withdrawn", "no", "yes" or
-- "always". Who names the code has read the question, whichever attempt brought it; a bare word is about the last one.
function Approvals.judge(message, conv, t)
  local answer = msg_key(message)
  local word, code = string.match(get(answer, 'answer'), '^(%a+) ?(%d*)$')
  local key, at = Approvals.key(get(answer, 'approval')), number(answer, 'accepted_at')
  local state, stamp = get(key, 'state'), number(key, code ~= '' and 'first' or 'number')
  if state == '' or get(key, 'approver') ~= get(answer, 'user') then return 'text' end
  if stamp == 0 or number(answer, 'number') < stamp then return 'text' end
  if state == 'withdrawn' then return code ~= '' and 'withdrawn' or 'text' end
  if get(key, 'person') ~= '' and epoch_of(get(key, 'person')) ~= get(key, 'epoch') then return 'text' end
  if code == '' and open_here(conv, get(answer, 'pair'), get(answer, 'user'), at, t) > 1 then return 'which' end
  if state ~= 'pending' then return 'already' end
  if word == 'always' and not keeps_always(key) then word = 'yes' end
  return get(answer, 'late') == '1' and 'expired' or word
end

-- The yes or no is taken: its call stands in the asking conversation, for whoever claims that, and "always" is noted. Whom another person
-- says no to is told so.
function Approvals.take(message, word, t)
  local id = get(msg_key(message), 'approval')
  local key = Approvals.key(id)
  local conv, pair, user, event, calls = get(key, 'conv'), get(key, 'pair'), get(key, 'user'), get(key, 'event'), get(key, 'calls')
  redis.call('HSET', key, 'answered_by', message, 'word', word)
  Approvals.close(id, word == 'no' and 'declined' or 'approved', t)
  if word == 'no' and get(key, 'approver') == user then return end
  redis.call('HSET', conv_key(conv), 'channel', get(key, 'channel'), 'pair', pair, 'sender', get(key, 'sender'))
  if word == 'no' then
    local notice = 'n-' .. id
    write_notice(conv, notice, 'declined', event, user, t)
    put(FIRST, conv, notice, t)
    return
  end
  if word == 'always' then
    for _, call in ipairs(cjson.decode(calls)) do
      if call.always ~= '' then redis.call('HSET', Approvals.always_key(get(key, 'person')), call.always, whole(t)) end
    end
  end
  local approved = 'm-' .. id
  redis.call('HSET', msg_key(approved), 'v', VERSION, 'id', approved, 'conv', conv, 'channel', get(key, 'channel'), 'kind', 'approved',
    'event', event, 'approved', calls, 'bridge', get(key, 'bridge'), 'state', 'pending', 'accepted_at', whole(t),
    'active_at', whole(active(t, pair)), 'pair', pair, 'sender', get(key, 'sender'), 'user', user)
  index_message(approved, table.concat({user, get(key, 'sender'), conv}, ' '), whole(t), t)
  put(FIRST, conv, approved, t)
end

-- A word that answers nothing is an ordinary message after all, where it came. Its turn is over, and the lease with it.
function Approvals.as_text(conv, token, message, t)
  local key, behind = msg_key(message), ''
  out_of_inbox(conv, message)
  redis.call('HSET', key, 'answer', '', 'approval', '')
  for _, id in ipairs(redis.call('LRANGE', inbox_key(conv), 0, 99)) do
    if behind == '' and get(msg_key(id), 'state') == 'pending' and number(msg_key(id), 'accepted_at') > number(key, 'accepted_at') then behind = id end
  end
  if behind == '' then
    put(FIRST, conv, message, t)
  else
    redis.call('LINSERT', inbox_key(conv), 'BEFORE', behind, message)
    redis.call('ZADD', OPEN, whole(t), message)
  end
  return give_up(conv, token, t, t)
end
end
