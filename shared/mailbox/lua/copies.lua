-- Copies: a text that goes to the person's own other channel, as a message of ours in that conversation's priority inbox. Where it goes is
-- made of the turn's person by code (`to`): no tool names an address. An opt-out there is the person's word, a pause holds it as any message,
-- and a day has a bound of its own, for a text costs money and may be asked for by what others wrote.
do
local MOST_COPIES, DAY_OF_COPIES, LOOKED_BACK = 20, 86400000, 20

local function refused(reason, channel) return {ok = false, reason = reason, channel = channel or '', most = MOST_COPIES} end

-- The newest answer of the model's to the person in the turn's conversation; "" for none since a new chat began.
local function last_answer(context)
  local entries = redis.call('LRANGE', K.history .. context.conv, -LOOKED_BACK, -1)
  for i = #entries, 1, -1 do
    local kind, id = string.sub(entries[i], 1, 1), string.sub(entries[i], 3)
    if kind == 'b' and id == get(conv_key(context.conv), 'begins') then return '' end
    local key = reply_key(id)
    if kind == 'r' and get(key, 'user') == context.user and get(key, 'by_code') ~= '1' and get(key, 'answers') == '' then return id end
  end
  return ''
end

-- The answer that is meant: the last one, or the one to a message of the person's own.
local function meant(context, of)
  if of == '' then return last_answer(context) end
  local turn = get(msg_key(of), 'user') == context.user and get(msg_key(of), 'turn') or ''
  local reply = turn ~= '' and reply_of(turn) or ''
  return reply ~= '' and get(reply_key(reply), 'user') == context.user and reply or ''
end

EFFECTS.send_copy = function(context, args)
  local to = args.to
  if type(to) ~= 'table' then return refused('no_channel') end
  if opted_out(to.pair) then return refused('opted_out', to.channel) end
  local copies = K.copies .. context.person
  redis.call('ZREMRANGEBYSCORE', copies, '-inf', whole(context.t - DAY_OF_COPIES))
  if redis.call('ZCARD', copies) >= MOST_COPIES then return refused('too_many', to.channel) end
  local reply = args.text == '' and meant(context, args.of) or ''
  if args.text == '' and reply == '' then return refused('nothing', to.channel) end
  local of_others = get(reply_key(reply), 'mixed') == '1' or get(reply_key(reply), 'names_others') == '1'
  local messages = turn_messages(reply ~= '' and get(reply_key(reply), 'turn') or context.turn)
  local copy = {text = args.text, reply = reply, marked = context.marked or of_others, messages = messages}
  redis.call('ZADD', copies, whole(context.t), to.message)
  redis.call('PEXPIRE', copies, DAY_OF_COPIES)
  redis.call('HSET', conv_key(to.conv), 'channel', to.channel, 'pair', to.pair, 'sender', to.sender)
  redis.call('HSET', msg_key(to.message), 'v', VERSION, 'id', to.message, 'conv', to.conv, 'channel', to.channel, 'kind', 'copy', 'event', to.event,
    'copy', cjson.encode(copy), 'state', 'pending', 'accepted_at', whole(context.t), 'active_at', whole(active(context.t, to.pair)),
    'pair', to.pair, 'sender', to.sender, 'user', context.user)
  index_message(to.message, table.concat({context.user, to.sender, to.conv}, ' '), whole(context.t), context.t)
  redis.call('ZADD', CONVERSATIONS, whole(context.t), to.conv)
  append('copy_stored', 'conv', to.conv, 'msg', to.message, 'channel', to.channel, 'turn', context.turn)
  into_priority(to.conv, to.message, context.t)
  return {ok = true, channel = to.channel, message = to.message}
end
end
