-- store_reply: the turn's reply is stored, with recipient and thread headers, before anything is sent; with an attempt, a permit to
-- send it is asked for in the same step, as `sending` does.
-- Fenced, after its call is settled: what an answer used is used, whoever holds the lease. What it says is remembered by its digest, to
-- know an echo by. `names` are those by which an answer to a mail will name it (`threads`).
-- Refused when a message of the turn was handed over. A bridge message is answered by this very step.
-- Answer: {outcome, "more" or "empty", the verdict of `sending` or nothing}.
-- uses: turns replies send_permit spending indexes threads
-- args: conv token turn reply command channel attempt digest figures names topic limits{send# margin# pause_wait# jitter# retention oldest#
-- args: repeats#} settled{model_call used# answer} wake...
local key, t = conv_key(conv), now()
settle(settled.model_call, settled.used, settled.answer)
local stored = redis.call('EXISTS', reply_key(reply)) == 1

local function stored_answer()
  if attempt == '' then return {'stored', ''} end
  return {'stored', '', take_permit(conv, token, reply, attempt, limits, t)}
end

if get(key, 'token') ~= token or get(key, 'turn') ~= turn then
  if stored and get(key, 'last_token') == token and get(reply_key(reply), 'conv') == conv then return {'finished', get(key, 'last_result')} end
  return {'lost', ''}
end
if stored then return stored_answer() end

local bridge, duplicate = false, false
for _, id in ipairs(turn_messages(turn)) do
  if get(msg_key(id), 'state') == 'handed_over' then return {'handed_over', ''} end
  if get(msg_key(id), 'kind') == 'bridge' then bridge = true end
  if get(msg_key(id), 'maybe_duplicate') == '1' then duplicate = true end
end

redis.call('HSET', reply_key(reply), 'v', VERSION, 'id', reply, 'conv', conv, 'turn', turn, 'channel', channel, 'command', command, 'state', 'stored',
  'stored_at', whole(t), 'attempts', '[]', 'maybe_sent', 0, 'maybe_duplicate', 0,
  'pair', get(key, 'pair'), 'user', get(turn_key(turn), 'user'))
local told = cjson.decode(figures)
if #told > 0 then redis.call('HSET', reply_key(reply), unpack(told)) end
redis.call('HSET', key, 'said_before', get(key, 'said'), 'said', digest, 'said_at', whole(t))
end_model_call(conv)
count_turn_of(settled.model_call)
if #told > 0 then provider_took('claude', probes(token, get(key, 'pair')) and t or 0, t) end
redis.call('ZADD', CONVERSATIONS, 'XX', whole(t), conv)
if names ~= '' then keep_thread(get(key, 'pair'), names, topic, conv, limits.retention) end
append('reply_stored', 'conv', conv, 'turn', turn, 'reply', reply, 'channel', channel, unpack(told))
if duplicate then mark(reply, 'maybe_duplicate') end
if bridge then return {'finished', close_turn(conv, token, 'answered', '', limits.retention, t)} end
return stored_answer()
