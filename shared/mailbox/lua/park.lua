-- park: set the turn's messages aside, visibly, and free the conversation.
-- A turn with a pending attempt is parked only after a look-up that succeeded; if the outcome of one stays unknown the reply is
-- marked `maybe_sent`, and a later "accepted" turns its messages into answered. The user is told once, by a notice at the tail, unless
-- the message came over the bridge, which tells it; or on the other channel, where this one cannot reach them ("unreachable").
-- A notice itself is not kept: it ends as ignored, but for a digest, which alone says what came; nor is a question, which is void where it was
-- never sent, nor what a program had us say and whose time is over: of that the program is told, and nobody else. A reminder is told on the other channel, with its text, and of a copy that it did not arrive. The turn's last call is settled first, whoever holds the lease.
-- uses: turns replies spending
-- args: conv token reason looked_up code retention settled{model_call used# answer cost#} wake...
local key, t = conv_key(conv), now()
settle(settled.model_call, settled.used, settled.answer, settled.cost)
if get(key, 'token') ~= token then
  return get(key, 'last_token') == token and get(key, 'last_result') or 'lost'
end
end_model_call(conv)

local turn = get(key, 'turn')
local reply = reply_of(turn)
local list = attempts_of(reply)
-- A callback may come between the caller's look-up and this call: what was taken is answered, never parked and retried.
if count_outcomes(list, 'accepted') > 0 then return close_turn(conv, token, 'answered', '', retention, t) end
local unresolved = count_outcomes(list, '') > 0
if unresolved and looked_up ~= '1' then return 'look_up' end

local first = turn_messages(turn)[1] or ''
local kind = get(msg_key(first), 'kind')
local notice = kind == 'notice'
if redis.call('EXISTS', reply_key(reply)) == 1 then
  redis.call('HSET', reply_key(reply), 'state', unresolved and 'sending' or 'failed')
  if unresolved or count_outcomes(list, 'absent') > 0 then mark(reply, 'maybe_sent') end
  for _, attempt in ipairs(list) do
    if attempt.outcome == '' then keep_unsure(reply, attempt, retention) end
  end
end
local asked = get(reply_key(reply), 'approval')
if asked ~= '' and number(Approvals.key(asked), 'first') == 0 then Approvals.close(asked, 'withdrawn', t) end
redis.call('HSET', key, box_of(turn).not_before, 0)
local event, user = get(msg_key(first), 'event'), get(msg_key(first), 'user')
local is_kept = not notice and kind ~= 'question' and reason ~= 'expired' or get(msg_key(first), 'notice') == 'forwarding_digest'
local result = close_turn(conv, token, is_kept and 'parked' or 'ignored', reason, retention, t)
if kind == 'reminder' or kind == 'copy' then
  if not unresolved and redis.call('EXISTS', reply_key(reply)) == 1 then not_reached(reply, t) end
elseif code == 'unreachable' then
  if #list > 0 and count_outcomes(list, 'refused') == #list then not_reached(reply, t) end
elseif code ~= '' and not notice and kind ~= 'question' and kind ~= 'outgoing' and kind ~= 'bridge' and not unresolved then
  add_notice(conv, first, code, event, user, t)
  result = close_lease(conv, retention, t)
end
return result
