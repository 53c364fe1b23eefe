-- reserve: one more question of a turn, before it is asked. The turn's call before it is settled first, whoever holds the lease.
-- Fenced, and judged as a permit to send is: nothing more is asked for a user who opted out, or in a pause, but by the turn that tries the
-- provider in it. A bridge message is answered over the bridge and nowhere else: an opt-out does not concern it. The lease is extended to its
-- full length. A repeat gets the first answer.
-- Answer: "ok", "lost", "opted_out", "paused", or why there is no room ("spent", "share", "month", "own_month", "reserved", "dear").
-- uses: turns spending people
-- args: conv token model_call amount# lease# price{micros# model zones}
-- args: bounds{tokens# turns# sender# forwarded# day# month# own_day# own_month#} settled{model_call used# answer cost#}
local key, t = conv_key(conv), now()
settle(settled.model_call, settled.used, settled.answer, settled.cost)
if get(key, 'token') ~= token then return 'lost' end
extend_lease(conv, lease, t)
if read_model_call(model_call) then return 'ok' end
local pair, first = get(key, 'pair'), turn_messages(get(key, 'turn'))[1] or ''
if opted_out(pair) and get(msg_key(first), 'kind') ~= 'bridge' then return 'opted_out' end
if paused(pair) and not probes(token, pair) then return 'paused' end
local turn = get(key, 'turn')
return Money.reserve_next(conv, token, model_call, amount, price, bounds, person_of(get(turn_key(turn), 'user'), turn), t)
