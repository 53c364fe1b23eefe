-- step: what a turn has done is stored under a name of its own: an answer of the model's, or a tool's result with the effect that it tells of.
-- Fenced, after its call is settled. A name is written once: whoever writes it again gets what stands there, and nothing changes. An effect
-- and its result are stored together or not at all, and only where the turn may go on; an answer is stored in any case, for it was paid.
-- The first step binds the turn: see `dissolve`. With `upcoming` the question that follows is reserved for in the same step, where it may begin.
-- Answer: {outcome, what stands under the name, "1" where the priority inbox waits, what `reserve` says of the next question or ""}; the
-- outcome is "ok", why nothing further may begin ("erased", "opted_out", "paused"), "handed_over", or "lost".
-- uses: turns spending people steps effects ringing reminders facts lists indexes copies
-- args: conv token turn person epoch name entry figures effect call arguments marked channel zone lease# settled{model_call used# answer cost#}
-- args: upcoming{model_call amount#} price{micros# model zones} bounds{tokens# turns# sender# forwarded# day# month# own_day# own_month#}
local t = now()
settle(settled.model_call, settled.used, settled.answer, settled.cost)
local refusal_of_step = refused_step(conv, token, turn)
if refusal_of_step ~= '' then return {refusal_of_step, '', '', ''} end
local stop = stopped(conv, token, turn, person, epoch)
local stored = redis.call('HGET', steps_key(turn), name)
if not stored and (stop == 'erased' or (effect ~= '' and stop ~= '')) then return {stop, '', '', ''} end
if not stored then
  stored = entry
  if effect ~= '' then
    local context = {
      person = person, user = get(turn_key(turn), 'user'), conv = conv, turn = turn, call = call, t = t, marked = marked == '1',
      channel = channel, zone = zone,
    }
    stored = cjson.encode({tool = effect, at = t, result = EFFECTS[effect](context, cjson.decode(arguments))})
  end
  store_step(conv, turn, name, stored, figures)
  append('step', 'conv', conv, 'turn', turn, 'name', name)
end
extend_lease(conv, lease, t)
local waits, room = priority_waits(conv, t), ''
if stop == '' and waits == '' and upcoming.model_call ~= '' then
  room = Money.reserve_next(conv, token, upcoming.model_call, upcoming.amount, price, bounds, person, t)
end
return {stop == '' and 'ok' or stop, stored, waits, room}
