-- erase: records of one user in one conversation go, whatever state they are in: `ids` of messages, turns and replies. A lease under
-- which one of them is worked on is broken first: its holder is fenced out and stores nothing more. The rest of the conversation, which
-- may be another user's by now, stays, without its summary: that may have been made of what goes. Opt-outs and the marks by which a
-- second delivery is known stay. Answer: 1 for a lease broken.
-- uses: turns replies indexes index_ends history
-- args: conv ids...
local key, t, theirs, broken = conv_key(conv), now(), {}, 0
for i = ids, #ARGV do theirs[ARGV[i]] = true end

local function is_worked_on()
  local turn = get(key, 'turn')
  if theirs[turn] then return true end
  for _, id in ipairs(turn_messages(turn)) do
    if theirs[id] then return true end
  end
  return false
end

if is_worked_on() then
  broken = get(key, 'token') ~= '' and 1 or 0
  release_slot(conv, t)
  redis.call('HSET', key, 'token', '', 'lease_end', 0, 'turn', '')
end

local history = History.list(conv)
redis.call('DEL', unpack(History.places(conv)))
redis.call('ZREM', History.summaries, conv)
for i = ids, #ARGV do
  local id, kind = ARGV[i], string.sub(ARGV[i], 1, 2)
  if kind == 't-' then
    unbind(conv, id)
    redis.call('DEL', turn_key(id), steps_key(id))
  elseif kind == 'r-' then
    redis.call('DEL', reply_key(id))
    redis.call('ZREM', UNTOLD, id)
    redis.call('ZREM', UNSETTLED, id)
    redis.call('ZREM', K.unsure .. conv, id)
    redis.call('LREM', history, 0, 'r:' .. id)
    redis.call('LREM', history, 0, 'b:' .. id)
  else
    out_of_inbox(conv, id)
    unindex_message(id)
    drop_files(get(msg_key(id), 'files'))
    redis.call('DEL', msg_key(id))
    redis.call('ZREM', K.parked, id)
    redis.call('ZREM', K.recent, id)
    redis.call('LREM', history, 0, 'm:' .. id)
  end
end

if redis.call('EXISTS', inbox_key(conv), priority_key(conv)) > 0 then
  schedule(conv, t, t)
else
  redis.call('ZREM', DUE, conv)
  if redis.call('LLEN', history) == 0 then redis.call('DEL', key, K.wake .. conv) end
end
append('erased', 'conv', conv, 'n', #ARGV - ids + 1)
return broken
