-- store_reply: the turn's reply is stored, with recipient and thread headers, before anything is sent; with an attempt, a permit to
-- send it is asked for in the same step, as `sending` does.
-- Fenced, after its call is settled: what an answer used is used, whoever holds the lease. What it says is remembered by its digest, to
-- know an echo by. By its `thread` an answer to a mail is found (`threads`).
-- Refused when a message of the turn was handed over. A bridge message is answered by this very step.
-- `answers` is the command of the person's that this is the answer to: its effect happens here, in the same step. A new chat begins behind
-- what the conversation remembers now, and the place stays where it is when an earlier one is taken up again. `asks` are the commands that
-- the reply's questions name, `rest` is "1" where it was cut: the next "more" is its. A reminder or a copy that says all leaves the rest of the answer
-- before it. A reply that says that a month's money is used up is its sender's only one of the day.
-- `question` is of a reply that asks for a yes: its record is made here, and `approval` is the id of the one that this reply carries. `answer`
-- is of a turn that answers one: what may be said to it, by the verdict (`approvals`), which is reached here. Taking the answer, storing what
-- is said to it and putting the call into the asking conversation is this one step. A question over the bridge is asked by it, too.
-- Answer: {outcome, "more" or "empty", the verdict of `sending` or nothing, the verdict on an answer or nothing}; the outcome "text" is of an
-- answer that is none, and goes to the first inbox.
-- uses: turns replies send_permit spending indexes threads people approvals
-- args: conv token turn person epoch reply command channel attempt users# digest figures thread answers asks rest question approval answer
-- args: limits{send# margin# pause_wait# jitter# retention oldest# repeats#} settled{model_call used# answer cost#} wake...
local key, t = conv_key(conv), now()
local asked = settle(settled.model_call, settled.used, settled.answer, settled.cost)
local stored = redis.call('EXISTS', reply_key(reply)) == 1

local function stored_answer()
  local word = get(reply_key(reply), 'verdict')
  local permit = attempt ~= '' and take_permit(conv, token, reply, attempt, users, limits, t) or ''
  return {'stored', '', permit, word}
end

if get(key, 'token') ~= token or get(key, 'turn') ~= turn then
  if stored and get(key, 'last_token') == token and get(reply_key(reply), 'conv') == conv then return {'finished', get(key, 'last_result')} end
  return {'lost', ''}
end
if stored then return stored_answer() end
if person ~= '' and epoch_of(person) ~= epoch then return {'lost', ''} end  -- made of what was erased, or of somebody who was taken away

local bridge, duplicate, word = false, false, ''
for _, id in ipairs(turn_messages(turn)) do
  if get(msg_key(id), 'state') == 'handed_over' then return {'handed_over', ''} end
  if get(msg_key(id), 'kind') == 'bridge' or get(msg_key(id), 'bridge') == '1' then bridge = true end
  if get(msg_key(id), 'maybe_duplicate') == '1' then duplicate = true end
end

if answer ~= '' then
  local message = turn_messages(turn)[1]
  word = Approvals.judge(message, conv, t)
  if word == 'text' then return {'text', Approvals.as_text(conv, token, message, t)} end
  local chosen = cjson.decode(answer)[word]
  command, digest, figures = chosen.command, chosen.digest, chosen.figures
  if word == 'yes' or word == 'always' or word == 'no' then Approvals.take(message, word, t) end
end

redis.call('HSET', reply_key(reply), 'v', VERSION, 'id', reply, 'conv', conv, 'turn', turn, 'channel', channel, 'command', command, 'state', 'stored',
  'stored_at', whole(t), 'attempts', '[]', 'maybe_sent', 0, 'maybe_duplicate', 0,
  'pair', get(key, 'pair'), 'user', get(turn_key(turn), 'user'))
if question ~= '' then Approvals.ask(cjson.decode(question), conv, turn, bridge, limits.retention, t) end
if approval ~= '' then redis.call('HSET', reply_key(reply), 'approval', approval) end
if word ~= '' then redis.call('HSET', reply_key(reply), 'verdict', word) end
local told = cjson.decode(figures)
if #told > 0 then redis.call('HSET', reply_key(reply), unpack(told)) end
local said = {'said_before', get(key, 'said'), 'said', digest, 'said_at', whole(t), 'asks', asks}
if answers == '' or answers == 'more' or ((answers == 'reminder' or answers == 'copy') and rest == '1') then
  said[#said + 1], said[#said + 2] = 'rest', (rest == '1' or answers == 'more') and reply or ''
  said[#said + 1], said[#said + 2] = 'rest_at', whole(t)
end
redis.call('HSET', key, unpack(said))
if answers ~= '' then
  redis.call('HSET', reply_key(reply), 'answers', answers)
  local before = reply_key(get(msg_key(turn_messages(turn)[1]), 'rest'))
  if answers == 'more' and redis.call('EXISTS', before) == 1 then redis.call('HSET', before, 'next', reply) end
  if answers == 'new' then
    local history = K.history .. conv
    redis.call('RPUSH', history, 'b:' .. reply)
    redis.call('PEXPIRE', history, limits.retention)
    redis.call('HSET', key, 'begins_before', get(key, 'begins'), 'begins', reply, 'rest', '')
    Approvals.withdraw(get(key, 'pair'), conv, t)
    append('chat_began', 'conv', conv, 'reply', reply)
  elseif answers == 'back' and get(key, 'new_at') ~= '' then
    redis.call('HSET', key, 'begins', get(key, 'begins_before'), 'new_at', '', 'rest', '')
    append('chat_taken_up', 'conv', conv, 'reply', reply)
  end
end
end_model_call(conv)
count_turn_of(asked)
if get(turn_key(turn), 'stop') ~= '' then Money.tell(get(key, 'sender'), t) end
if get(reply_key(reply), 'model') ~= '' then provider_took('claude', probes(token, get(key, 'pair')) and t or 0, t) end
redis.call('ZADD', CONVERSATIONS, 'XX', whole(t), conv)
if thread ~= '' then keep_thread(read_thread(get(key, 'pair'), thread), conv) end
if answers ~= '' then told[#told + 1], told[#told + 2] = 'answers', answers end
append('reply_stored', 'conv', conv, 'turn', turn, 'reply', reply, 'channel', channel, unpack(told))
if duplicate then mark(reply, 'maybe_duplicate') end
if bridge then stamp_question(conv, reply, t) end
if bridge then return {'finished', close_turn(conv, token, 'answered', '', limits.retention, t)} end
return stored_answer()
