-- erase: records of one user in one conversation go, whatever state they are in: `ids` of messages, turns and replies. A lease under
-- which one of them is worked on is broken first: its holder is fenced out and stores nothing more. The rest of the conversation, which
-- may be another user's by now, or what the person wrote after their erasure began, stays, without its summary and what leads mails to it:
-- that may have been made of what goes. Where nothing is left the conversation goes. Opt-outs and the marks by which a second delivery is
-- known stay. Answer: 1 for a lease broken.
-- uses: turns replies indexes index_ends history requests liveness erasing
-- args: conv ids...
local key, t, theirs, users = conv_key(conv), now(), {}, {}
for i = ids, #ARGV do theirs[ARGV[i]] = true end
local broken = Erase.break_lease(conv, theirs, t)
local history = History.list(conv)

local function erase_reply(id)
  for _, attempt in ipairs(attempts_of(id)) do
    if attempt.provider_id ~= '' then redis.call('DEL', K.provider .. attempt.provider_id) end
  end
  redis.call('DEL', reply_key(id))
  redis.call('ZREM', K.untold, id)
  redis.call('ZREM', K.unsettled, id)
  redis.call('ZREM', K.unsure .. conv, id)
  redis.call('LREM', history, 0, 'r:' .. id)
  redis.call('LREM', history, 0, 'b:' .. id)
end

local function erase_message(id)
  local record = redis.call('HMGET', msg_key(id), 'files', 'operation', 'request', 'doubted_by', 'user', 'key')
  if record[5] then users[record[5]] = true end
  out_of_inbox(conv, id)
  unindex_message(id)
  drop_files(record[1] or '')
  for i = 2, 3 do
    if record[i] then redis.call('DEL', request_key(record[i])) end
    if record[i] then redis.call('ZREM', RETRIES, record[i]) end
  end
  if record[4] then redis.call('SREM', doubt_key(record[4]), id) end
  if (record[6] or '') ~= '' then redis.call('DEL', K.idempotency .. record[6]) end
  for _, set in ipairs({K.alarms, K.alarms_read}) do redis.call('ZREM', set, id) end
  redis.call('DEL', msg_key(id))
  redis.call('ZREM', K.parked, id)
  redis.call('ZREM', K.recent, id)
  redis.call('LREM', history, 0, 'm:' .. id)
end

redis.call('DEL', unpack(History.places(conv)))
redis.call('ZREM', History.summaries, conv)
for i = ids, #ARGV do
  local id, kind = ARGV[i], string.sub(ARGV[i], 1, 2)
  if kind == 't-' then
    unbind(conv, id)
    redis.call('DEL', turn_key(id), steps_key(id))
  elseif kind == 'r-' then
    erase_reply(id)
  else
    erase_message(id)
  end
end
Erase.forget_threads(conv)
Erase.schedule(conv, t)
if Erase.is_empty(conv, history) then Erase.drop_conversation(conv, history, users) else Erase.forget_what_was_said(conv) end
append('erased', 'conv', conv, 'n', #ARGV - ids + 1)
return broken
