-- hand_over: an old bridge client answers this message itself. It leaves the inbox unless its reply is stored; an inbox that this
-- empties, without a lease, is nobody's business any more. Answer: the message's state, or "replied", also where the turn has a step.
-- uses: turns
-- args: id retention
local key = msg_key(id)
local state = get(key, 'state')
if state ~= 'pending' and state ~= 'in_turn' then return state end
local turn = get(key, 'turn')
if turn ~= '' and redis.call('EXISTS', reply_key(reply_of(turn))) == 1 then return 'replied' end

local conv = get(key, 'conv')
if turn ~= '' and redis.call('HEXISTS', turn_key(turn), 'step:answer:1') == 1 then return 'replied' end
settle_message(id, conv, turn, 'handed_over', '', retention, now())
Approvals.withdraw(get(conv_key(conv), 'pair'), conv, now())
out_of_inbox(conv, id)
if redis.call('LLEN', inbox_key(conv)) == 0 and get(conv_key(conv), 'token') == '' then
  redis.call('ZREM', DUE, conv)
  redis.call('HSET', conv_key(conv), 'not_before', 0)
end
return 'handed_over'
