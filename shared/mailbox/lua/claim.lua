-- claim: take the conversation's lease and get its turn, with what was said before.
-- Refused while the lease lives, not-before lies ahead, sending is paused (all of it, or this user's), or the sender has its share of
-- turns under way: then the conversation waits for one of them to end. A pause that an alarm made lets one turn at a time through, to
-- try the provider in question. A lease that is over, by its end or because its holder's process is silent or ended, counts as lost on each
-- message of its turn; from the second loss on the conversation waits. A turn with a stored reply or a step is resumed as it is; otherwise
-- one is formed from the inbox's head. A message's last try is made alone.
-- A turn that asks the model reserves what its first question may use at most (`model_call` is that question's id); where the day, or the
-- sender's share of it, has no room for that, it is refused and waits for the next day, or for a higher bound, and its sender is told
-- so by a turn of its own. What asks no model (a stored reply, a notice) is never refused for money. A question that no day has room for
-- is taken without a reservation: its holder parks it. So is a call that was approved: it is made, whatever there is to say of it. Where a month's dollars are used up its messages are taken, and end: nothing is asked,
-- and the turn says why (`stop`: "month", "own_month", or "told" where its sender was told today). A call that a holder has left behind is
-- settled at its amount.
-- The priority inbox is served before the first (see `common`): one message a turn, which asks no model and takes no place of its sender's.
-- A turn with a stored reply comes before both, and its not-before holds both: its messages came before, its reply may be under way, and
-- what would overtake it goes out by the same provider. A turn with a step holds the first inbox alone. A turn with neither is nobody's any
-- more once its lease is over: what it was made of waits in its inbox, untouched by what is served meanwhile. A trial of Claude needs a
-- question, which the priority inbox has not.
-- A repeat with the same token gets the stored lease end; a token that has finished never claims again.
-- A resumed turn is shown no history: its first step holds its question, if it is one; an approved call comes before. It reserves for its next
-- one by itself. Where the history begins is said with it (`history`): a question that is asked without its history says nothing of that.
-- Answer: {outcome, alarms} or {"taken", turn, now, lease end, messages, reply, history, tokens reserved, alarms, stop, steps, person, epoch,
-- 1 where something is remembered of the person, 1 where they have talked elsewhere within two weeks, where the history begins (flat), 1 where
-- it was read to there}; records and steps are flat, the history newest first. `alarms` are the bounds that a month has used
-- up, each once in its period.
-- uses: turns replies spending liveness people history
-- args: conv token new_turn lease# lost_wait# jitter# most# schema# share# history_bytes# oldest# model_call
-- args: bounds{tokens# turns# sender# forwarded# day# month# own_day# own_month#}
-- args: question{fixed# history# text# files# picture# pictures# answer# tiers model zones}
-- args: process life# death_wait# last_try#
local key, inbox = conv_key(conv), inbox_key(conv)
local t = now()
local alarms = {}

local NOTHING_SAID = {lines = {}, texts = 0, whole = 1, beginning = {}}

-- Whether the person has talked in another conversation lately, 1 or 0. What an older version has left of them is listed when they are met
-- first: their newest messages that were answered.
local function talks_elsewhere(person, user)
  local TWO_WEEKS, LOOKED_AT = 1209600000, 200
  if person == '' then return 0 end
  local talks, since = talks_key(person), whole(t - TWO_WEEKS)
  if redis.call('EXISTS', talks) == 0 then
    local ids = redis.call('ZRANGE', K.index .. user, '+inf', since, 'BYSCORE', 'REV', 'LIMIT', 0, LOOKED_AT)
    for i = #ids, 1, -1 do
      local found = redis.call('HMGET', msg_key(ids[i]), 'state', 'conv', 'accepted_at')
      if found[1] == 'answered' then redis.call('ZADD', talks, found[3], found[2]) end
    end
    redis.call('PEXPIRE', talks, TWO_WEEKS)
  end
  for _, other in ipairs(redis.call('ZRANGE', talks, '+inf', since, 'BYSCORE', 'REV', 'LIMIT', 0, 2)) do
    if other ~= conv then return 1 end
  end
  return 0
end

local function view(turn, said)
  local messages, clock = {}, active(t, get(key, 'pair'))
  for _, id in ipairs(turn_messages(turn)) do
    local flat = redis.call('HGETALL', msg_key(id))
    if #flat > 0 then
      flat[#flat + 1] = 'age'
      flat[#flat + 1] = whole(clock - number(msg_key(id), 'active_at'))
      messages[#messages + 1] = flat
    end
  end
  attempts_by(reply_of(turn), t)
  local reply = redis.call('HGETALL', reply_key(reply_of(turn)))
  local asked = read_model_call(get(key, 'call'))
  local steps = turn == bound_turn(conv) and redis.call('HGETALL', steps_key(turn)) or {}
  local person = person_of(get(turn_key(turn), 'user'), turn)
  if #reply > 0 or History.value_of(steps, 'answer:1') ~= '' then
    said = NOTHING_SAID
  elseif #steps > 0 then
    said = History.said_before(conv, get(turn_key(turn), 'user'), history_bytes)
  end
  return {'taken', turn, whole(t), whole(number(key, 'lease_end')), messages, reply, said.lines,
    asked and asked.amount or 0, alarms, get(turn_key(turn), 'stop'), steps, person, epoch_of(person),
    person ~= '' and redis.call('EXISTS', facts_key(person), Approvals.of_user(get(turn_key(turn), 'user'))) or 0, talks_elsewhere(person, get(turn_key(turn), 'user')), said.beginning, said.whole}
end

-- Whether the sender has its share of turns under way. A conversation that is refused waits for one of them to end, and is
-- looked at again at the latest when the first of their leases does.
local function has_its_share(sender)
  local busy = busy_key(sender)
  redis.call('ZREMRANGEBYSCORE', busy, '-inf', whole(t))
  local ahead = redis.call('ZRANGEBYSCORE', busy, '(' .. whole(t + lease), '+inf', 'WITHSCORES')
  for i = 1, #ahead, 2 do redis.call('ZADD', busy, whole(capped(tonumber(ahead[i + 1]), lease, t, 'place', 'conv', ahead[i])), ahead[i]) end
  if redis.call('ZCARD', busy) < share or redis.call('ZSCORE', busy, conv) then return false end
  redis.call('ZADD', waiting_key(sender), 'NX', whole(t), conv)
  redis.call('PEXPIRE', waiting_key(sender), 86400000)
  redis.call('ZADD', DUE, redis.call('ZRANGE', busy, 0, 0, 'WITHSCORES')[2], conv)
  return true
end

-- A conversation that had its turn to begin and could not leaves its place to the next.
local function not_now(outcome)
  local sender = get(key, 'sender')
  if sender ~= '' then
    redis.call('ZREM', waiting_key(sender), conv)
    if redis.call('ZCARD', busy_key(sender)) < share then hand_on(sender, t) end
  end
  return {outcome, alarms}
end

local function coalesces(id)
  local message = msg_key(id)
  return get(message, 'state') == 'pending' and get(message, 'kind') == 'text' and number(message, 'errors') < 2 and number(message, 'lost') < 2
end

-- Somebody looks again at what waits in either inbox.
local function look_again(at)
  for _, box in ipairs({PRIORITY, FIRST}) do
    if redis.call('EXISTS', box.inbox(conv)) == 1 then redis.call('ZADD', box.due, whole(at), conv) end
  end
end

-- The messages of a new turn, all of one user. What is too old to be answered is set aside without what is not. A head without a record (it can only
-- have expired by hand) is dropped, visibly; and so, from the priority inbox, is what an older version has ended, which finds it in no inbox.
local function head(box)
  local chosen, pair = {}, get(key, 'pair')
  for _, id in ipairs(redis.call('LRANGE', box.inbox(conv), 0, box == FIRST and most - 1 or 0)) do
    if redis.call('EXISTS', msg_key(id)) == 0 then
      out_of_inbox(conv, id)
      append('record_missing', 'conv', conv, 'msg', id)
    elseif box == PRIORITY and get(msg_key(id), 'state') ~= 'pending' then
      out_of_inbox(conv, id)
    elseif #chosen == 0 then
      chosen[1] = id
      if not coalesces(id) then return chosen end
    elseif coalesces(id) and get(msg_key(id), 'user') == get(msg_key(chosen[1]), 'user')
      and too_old(id, pair, oldest, t) == too_old(chosen[1], pair, oldest, t) then
      chosen[#chosen + 1] = id
    else
      return chosen
    end
  end
  return chosen
end

-- The most that a question about these messages may use: a token for two bytes of their texts (JSON in ASCII, which is never shorter) and
-- of `texts` bytes said before, the most that is shown of what is read in files, pictures at their largest, and what is `fixed`, the longest answer among it.
local function dearest(messages, texts)
  local bytes, pictures = math.min(texts, question.history), 0
  for _, id in ipairs(messages) do
    local event = get(msg_key(id), 'event')
    bytes = bytes + math.min(#event, question.text) + (string.find(event, '"files":["', 1, true) and question.files or 0)
    pictures = pictures + select(2, string.gsub(string.match(event, '"media":(%b[])') or '', '"', '')) / 2
  end
  return question.fixed + math.ceil(bytes / 2) + question.picture * math.min(pictures, question.pictures)
end

-- What so many tokens cost at most, and the books that it is reserved in: of one claim's messages, which are one person's.
local function most_of(tokens) return Money.most_of(question.tiers, tokens - question.answer, question.answer) end
local looked
local function books_for(messages)
  local sender = get(key, 'sender')
  local user = get(msg_key(messages[1]), 'user')
  looked = looked or Money.look(sender, t, Money.account_of(sender, user, person_of(user, new_turn), question.zones))
  return looked
end

-- The same turn for a repeated claim. What was said before is shown if it was paid for.
local function again()
  local said = History.said_before(conv, get(turn_key(get(key, 'turn')), 'user'), history_bytes)
  local asked = read_model_call(get(key, 'call'))
  local paid = asked and asked.amount or 0
  return view(get(key, 'turn'), dearest(turn_messages(get(key, 'turn')), said.texts) > paid and NOTHING_SAID or said)
end

-- What a turn of these messages is to reserve, what is shown with it, and why there is no room for it ("" where there is), and whether that
-- is of the person's own day. History is left away from a question that fits into no day with it.
local function priced(messages)
  local function denied(amount) return refusal(books_for(messages), bounds, amount, most_of(amount)) end
  local stop, own = denied(question.fixed)
  if stop ~= '' and stop ~= 'reserved' then return 0, NOTHING_SAID, stop, own end
  local said = History.said_before(conv, get(msg_key(messages[1]), 'user'), history_bytes)
  local amount = dearest(messages, said.texts)
  stop, own = denied(amount)
  if stop ~= 'dear' then return amount, said, stop, own end
  amount = dearest(messages, 0)
  return amount, NOTHING_SAID, denied(amount)
end

-- No room is left in a month: of what the turn ends with its sender is told once a day. A bridge's message is answered in any case.
local function month_over(stop, messages)
  if Money.month_over(stop, books_for(messages)) then alarms[#alarms + 1] = stop end
  local told = redis.call('EXISTS', Money.told_key(get(key, 'sender'), t)) == 1
  return told and get(msg_key(messages[1]), 'kind') ~= 'bridge' and 'told' or stop
end

-- The holder died, or seems to have: count it. From the second time on what the turn was made of waits before the next try.
local function lease_lost(cause)
  local turn, holding, worst = get(key, 'turn'), get(key, 'holder'), 0
  local box = box_of(turn)
  redis.call('HSET', key, 'token', '', 'lease_end', 0)
  for _, id in ipairs(turn_messages(turn)) do
    if get(msg_key(id), 'state') == 'in_turn' then
      worst = math.max(worst, redis.call('HINCRBY', msg_key(id), 'lost', 1))
      if cause == 'silent' then doubt(holding, id) end
    end
  end
  append('lease_lost', 'conv', conv, 'turn', turn, 'lost', whole(worst), 'cause', cause)
  dissolve(conv)
  release_slot(conv, t)
  if worst > 1 then wait_until(conv, box, t + math.floor(jitter * death_wait * 2 ^ (worst - 1)), t) end
end

-- The inbox to serve now, nil where none may be; then the agenda says when. `skipped` is left alone.
local function box_to_serve(bound, skipped)
  for _, box in ipairs({PRIORITY, FIRST}) do
    if box ~= skipped and redis.call('EXISTS', box.inbox(conv)) == 1 then
      local at = not_before(conv, bound or box, t)
      if at <= t then return bound or box end
      redis.call('ZADD', box.due, whole(at), conv)
    end
  end
end

-- All is paused by an alarm: whether this turn may find out if the provider in question takes something again. It must be time, its user
-- not paused, the turn one that asks that provider; and whoever was refused last lets others go first, who all come by in `lost_wait`.
local function may_probe(resumed)
  local pause, pair = pause_key(''), get(key, 'pair')
  local provider, at = get(pause, 'provider'), capped(number(pause, 'probe_at'), number(pause, 'probe_most'), t, 'probe')
  if at > t or (pair ~= '' and held(pair)) then return false end
  if get(pause, 'refused') == get(key, 'sender') and t < at + lost_wait then return false end
  local first = redis.call('LINDEX', inbox, 0)
  local kind = first and get(msg_key(first), 'kind') or ''
  if provider == 'claude' then return not resumed and kind ~= '' and kind ~= 'notice' end
  return kind ~= 'bridge' and PROVIDERS[get(key, 'channel')] == provider
end

local function begin_probe(turn)
  local pause = pause_key('')
  local wait = number(pause, 'probe_wait')
  redis.call('HSET', pause, 'probe', token, 'probe_at', whole(t + wait), 'probe_wait', whole(math.min(2 * wait, number(pause, 'probe_most'))))
  append('probe', 'conv', conv, 'turn', turn, 'provider', get(pause, 'provider'))
end

redis.call('DEL', K.wake .. conv)
if (tonumber(redis.call('GET', K.schema) or '0') or 0) > schema then return {'newer'} end
look(t, life)
if process ~= '' then give_sign(process, life, t) end
if get(key, 'last_token') == token then return {'finished'} end
local holder = get(key, 'token')
if holder == token then return again() end
-- A turn is formed once: a repeat that comes after other turns ended must not put new messages under its old, answered reply.
if redis.call('EXISTS', turn_key(new_turn)) == 1 then return {'finished'} end
local cause, lives_until = '', 0
if holder ~= '' then cause, lives_until = lease_over(conv, t, lease) end
if holder ~= '' and cause == '' then
  look_again(lives_until)
  return {'held'}
end
end_model_call(conv)
if redis.call('EXISTS', inbox, priority_key(conv)) == 0 then
  if holder ~= '' then
    redis.call('HSET', key, 'token', '', 'lease_end', 0, 'turn', '')
    release_slot(conv, t)
  end
  redis.call('ZREM', DUE, conv)
  redis.call('ZREM', PRIORITY.due, conv)
  return not_now('empty')
end
local turn = replied_turn(conv)
local resumed = turn ~= ''
local trying = paused(get(key, 'pair'))
if trying and not may_probe(resumed) then
  look_again(t + math.floor(lost_wait * (0.5 + jitter / 2)))
  return not_now('paused')
end
if cause ~= '' then lease_lost(cause) end
local box = box_to_serve(resumed and box_of(turn), trying and get(pause_key(''), 'provider') == 'claude' and PRIORITY)
if not box then return not_now('early') end
if not resumed and box == FIRST then
  release(conv, t)
  turn = bound_turn(conv)
  resumed = #turn_messages(turn) > 0
  if not resumed then
    unbind(conv, turn)
    -- A turn that an operator has brought back (`retry`) is bound again where its messages have come to the head of the inbox.
    turn = get(msg_key(redis.call('LINDEX', inbox, 0) or ''), 'turn')
    resumed = turn ~= '' and redis.call('HEXISTS', turn_key(turn), 'step:answer:1') == 1
    if resumed then redis.call('HSET', key, 'bound', turn) end
  end
end
local chosen, said, amount, ends = resumed and turn_messages(turn) or {}, NOTHING_SAID, 0, ''
if not resumed then
  chosen = head(box)
  if #chosen == 0 then
    if redis.call('LLEN', box.inbox(conv)) == 0 then redis.call('ZREM', box.due, conv) end
    return not_now('empty')
  end
  local stop, own = '', false
  if box == FIRST and get(msg_key(chosen[1]), 'kind') ~= 'notice' then amount, said, stop, own = priced(chosen) end
  if stop == 'dear' or (stop ~= '' and get(msg_key(chosen[1]), 'kind') == 'approved') then
    amount, said = 0, NOTHING_SAID
  elseif stop == 'month' or stop == 'own_month' then
    amount, said, ends = 0, NOTHING_SAID, month_over(stop, chosen)
  elseif stop ~= '' then
    hold(conv, t)
    local word = stop == 'spent' and alarm(t) or stop
    local code = (word == 'spent' and 'waits_day') or (word == 'share' and 'waits_share') or ''
    local offset = own and looked.offset or 0
    local notice = code ~= '' and tell_of_waiting(conv, chosen[1], 'n-waits-' .. string.sub(new_turn, 3), code, t, offset) or ''
    if notice == '' then
      local wait = word == 'spend_stop' and 0 or lost_wait * (0.5 + jitter / 2) / (word == 'reserved' and 20 or 1)
      redis.call('ZADD', DUE, whole(t + math.floor(wait)), conv)
      return not_now(word)
    end
    chosen, said, amount = {notice}, NOTHING_SAID, 0
  end
end
local sender = get(key, 'sender')
if sender ~= '' and box == FIRST and has_its_share(sender) then return {'busy', alarms} end

if not may_try(conv, token, chosen, last_try, t, lease) then
  redis.call('ZADD', box.due, whole(t + math.floor(death_wait * (0.5 + jitter / 2))), conv)
  return not_now('alone')
end
if not resumed then
  turn = new_turn
  redis.call('HSET', turn_key(turn), 'v', VERSION, 'id', turn, 'conv', conv, 'messages', cjson.encode(chosen), 'formed_at', whole(t),
    'pair', get(key, 'pair'), 'user', get(msg_key(chosen[1]), 'user'))
  if box == PRIORITY then redis.call('HSET', turn_key(turn), 'priority', 1) end
  if ends ~= '' then redis.call('HSET', turn_key(turn), 'stop', ends) end
end
redis.call('HSET', key, 'token', token, 'lease_end', whole(t + lease), 'turn', turn, 'holder', process)
redis.call('ZADD', box.due, whole(t + lease), conv)
if process ~= '' then
  redis.call('ZADD', held_key(process), whole(t + lease), conv)
  redis.call('PEXPIRE', held_key(process), 86400000)
end
if amount > 0 then reserve(books_for(chosen), model_call, amount, {micros = most_of(amount), model = question.model}, conv, token, bounds) end
if sender ~= '' and box == FIRST then
  redis.call('ZADD', busy_key(sender), whole(t + lease), conv)
  redis.call('PEXPIRE', busy_key(sender), 86400000)
  redis.call('ZREM', waiting_key(sender), conv)
end
if trying then begin_probe(turn) end
local messages = turn_messages(turn)
append(resumed and 'turn_resumed' or 'turn_started', 'conv', conv, 'turn', turn, 'messages', #messages)
for _, id in ipairs(messages) do
  if get(msg_key(id), 'state') == 'pending' then redis.call('HSET', msg_key(id), 'state', 'in_turn', 'turn', turn) end
  if redis.call('HSETNX', msg_key(id), 'acknowledged_at', whole(t)) == 1 then
    append('message_acknowledged', 'conv', conv, 'msg', id, 'turn', turn, 'message_type', get(msg_key(id), 'channel'))
  end
end
return view(turn, said)
