-- cross_channel_notice: tell a user on their other channel that a reply did not reach them, or that there is none. Once a reply: who takes it off the list appends the
-- notice in the same step, whoever else tries and however often; and once an hour on one channel. A reminder goes there as it was, and
-- however often. With a reason the user is not told,
-- and the reason recorded. Answer: "told", why not, or "gone".
-- uses: turns
-- args: reply reason conv channel sender pair user code event wake...
if redis.call('ZREM', K.untold, reply) == 0 then return 'gone' end
local t, id = now(), 'n-' .. string.sub(reply, 3)
local lost = msg_key(turn_messages(turn_of(reply))[1] or '')
local rings = get(lost, 'rings')

if reason == '' and opted_out(pair) then reason = 'opted_out' end
if reason == '' and rings == '' and not redis.call('SET', K.told_elsewhere .. pair, '1', 'NX', 'PX', 3600000) then reason = 'told_lately' end
if reason ~= '' then
  append('untold', 'reply', reply, 'reason', reason)
  return reason
end
redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', pair, 'sender', sender)
append('told_elsewhere', 'reply', reply, 'notice', id, 'channel', channel)
if rings == '' then
  append_notice(conv, id, code, event, user, t)
else
  write_notice(conv, id, code, event, user, t)
  redis.call('HSET', msg_key(id), 'kind', 'reminder', 'rings', rings)
  into_priority(conv, id, t)
end
redis.call('HSET', msg_key(id), 'elsewhere', 1)
return 'told'
