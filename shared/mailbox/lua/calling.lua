-- calling: a tool outside is about to be called, as a request to a provider is about to leave. Fenced. What came of the call is told by
-- `called`, and decides for whoever holds the lease. Only the token that stored it may make the call. Another one that finds it without a
-- result waits until nobody can be waiting for its answer any more (`wait` ms from its time); then it is made again where the operator says that it
-- may be, else nobody knows whether it happened. `needs` is what the person must have said "always" to, "" where nothing: else it waits for a
-- yes ("ask"). The call of an approved one's turn is noted, so that no later turn makes it.
-- Answer: {outcome, the result or the ms to wait}: "call", "done", "wait", "unknown", "ask", or an outcome of `step`.
-- uses: turns people steps
-- args: conv token turn person epoch call figures wait# repeatable lease# needs
local t = now()
local refusal_of_step = refused_step(conv, token, turn)
if refusal_of_step ~= '' then return {refusal_of_step, ''} end
local steps = steps_key(turn)
local done = redis.call('HGET', steps, 'result:' .. call)
if done then return {'done', done} end
local stop = stopped(conv, token, turn, person, epoch)
if stop ~= '' then return {stop, ''} end
local text = redis.call('HGET', steps, 'calling:' .. call)
local before = text and cjson.decode(text)
if before and before.token ~= token then
  local at = capped(before.at, 0, t, 'call', 'conv', conv, 'turn', turn)
  if at ~= before.at then redis.call('HSET', steps, 'calling:' .. call, cjson.encode({at = at, token = before.token})) end
  if at + wait > t then return {'wait', whole(at + wait - t)} end
  if repeatable ~= '1' then return {'unknown', ''} end
  before = nil
end
if not text and needs ~= '' and redis.call('HEXISTS', Approvals.always_key(person), needs) == 0 then return {'ask', ''} end
if not before then
  local first = msg_key(turn_messages(turn)[1])
  if get(first, 'kind') == 'approved' then redis.call('HSET', first, 'called', 1) end
  store_step(conv, turn, 'calling:' .. call, cjson.encode({at = t, token = token}), figures)
  append('calling', 'conv', conv, 'turn', turn)
end
extend_lease(conv, lease, t)
return {'call', ''}
