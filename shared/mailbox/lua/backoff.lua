-- backoff: give up the lease until later. Fenced. `counted` adds one error to each message of the turn; an outage adds none. `asked`
-- notes that the model was asked about them and failed: the next question is a repeated one.
-- `anew`: the turn had a step, has done nothing, and cannot go on: its messages form another one.
-- The turn's last call is settled first, whoever holds the lease.
-- uses: turns spending
-- args: conv token delay# reason counted asked anew settled{model_call used# answer cost#} wake...
local key, t = conv_key(conv), now()
settle(settled.model_call, settled.used, settled.answer, settled.cost)
if get(key, 'token') ~= token then
  return get(key, 'last_token') == token and get(key, 'last_result') or 'lost'
end
end_model_call(conv)
append('backoff', 'conv', conv, 'turn', get(key, 'turn'), 'reason', reason, 'delay', whole(delay), 'counted', counted)
for _, id in ipairs(turn_messages(get(key, 'turn'))) do
  if get(msg_key(id), 'state') == 'in_turn' then
    if counted == '1' then redis.call('HINCRBY', msg_key(id), 'errors', 1) end
    if asked == '1' then redis.call('HSET', msg_key(id), 'asked', 1) end
  end
end
if anew == '1' then unbind(conv, get(key, 'turn')) end
return give_up(conv, token, t + delay, t)
