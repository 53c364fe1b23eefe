-- release: the quiet hours that held a message back are over (`outgoing_messages`): it goes into its conversation's priority inbox. It goes to
-- the person's entry as it is now, which `event`, `conv`, `pair` and `sender` are made of; "" where they have no such channel any more. It ends
-- where its own time has come, or its person wants nothing there. Where it is quiet again it waits on. `read_at` is when it was read.
-- Answer: "put", "held", "gone", "again", or the reason for which it ended.
-- uses: people ringing outgoing_messages indexes
-- args: id read_at# conv channel sender pair user event quiet kept# wake...
local t, key = now(), msg_key(id)
if get(key, 'state') ~= 'pending' or not redis.call('ZSCORE', ALARMS, id) then
  drop_alarm(id)
  return 'gone'
end
if read_at > t or number(key, 'due') > t then
  redis.call('ZADD', ALARMS, get(key, 'due'), id)
  redis.call('ZREM', ALARMS_READ, id)
  return 'again'
end
local expires = number(key, 'expires_at')
local reason = pair == '' and 'address_removed' or expires <= t and 'expired' or opted_out(pair) and 'opted_out' or ''
if reason ~= '' then
  Outgoing.refuse(id, reason, kept, t)
  return reason
end
local till = Outgoing.quiet_until(quiet, t)
if till then
  Outgoing.hold(id, till, t)
  return 'held'
end
redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', pair, 'sender', sender)
redis.call('HSET', key, 'conv', conv, 'pair', pair, 'sender', sender, 'event', event, 'active_at', whole(active(t, pair)))
index_message(id, table.concat({user, sender, conv}, ' '), get(key, 'accepted_at'), t)
Outgoing.put(id, conv, t)
return 'put'
