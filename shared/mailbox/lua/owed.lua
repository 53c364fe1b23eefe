-- What was done for a person who opted out before they could be told: the replies of such turns, by pair. Once they opt in again they are told
-- by a notice for each (`rest` is the reply), before all else that waits.
local function tell_owed(pair, t)
  for _, reply in ipairs(redis.call('LRANGE', K.owed .. pair, 0, -1)) do
    local of, list = get(reply_key(reply), 'conv'), get(turn_key(get(reply_key(reply), 'turn')), 'messages')
    local first = msg_key(list ~= '' and cjson.decode(list)[1] or '')
    local id, event = 'n-owed-' .. string.sub(reply, 3), get(first, 'event')
    if event ~= '' and redis.call('EXISTS', msg_key(id)) == 0 then
      redis.call('HSET', conv_key(of), 'channel', get(first, 'channel'), 'pair', pair, 'sender', get(first, 'sender'))
      write_notice(of, id, 'owed', event, get(first, 'user'), t)
      redis.call('HSET', msg_key(id), 'rest', reply)
      into_priority(of, id, t)
    end
  end
  redis.call('DEL', K.owed .. pair)
end
