-- discard: the operator gives up a parked message. Answer: {outcome, conv, channel}.
-- uses: turns
-- args: id operation retention by user
local key = msg_key(id)
if redis.call('EXISTS', key) == 0 then return {'unknown', '', ''} end
local conv, channel = get(key, 'conv'), get(key, 'channel')
if get(key, 'operation') == operation then return {'done', conv, channel} end
if get(key, 'state') ~= 'parked' then return {'not_parked', conv, channel} end
redis.call('HSET', key, 'operation', operation)
append('discarded', 'conv', conv, 'msg', id, 'by', by, 'user', user)
settle_message(id, conv, get(key, 'turn'), 'ignored', 'discarded', retention, now())
release_turn(get(key, 'turn'), retention)
return {'done', conv, channel}
