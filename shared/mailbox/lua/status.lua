-- status: a delivery report. It proves that the attempt was accepted, whatever came of the request itself; a terminal state is
-- never left again, so order and repeats do no harm. Of a reply that did not arrive the user is told elsewhere, once. A report
-- may also hold the user's word (`word`: "out" or "in"): it is heard once, so that its repetition cannot undo a later one, and it
-- counts by itself, for the `pair` that the report names, when no record of the reply is left. `thread` is the id that the provider gave
-- a mail in place of ours: an answer to it belongs to the reply's conversation (`threads`).
-- Answer: {the reply's state or "", "0"}.
-- uses: turns replies threads
-- args: reply id provider_id state code retention word report heard pair thread
if (reply == '' or redis.call('EXISTS', reply_key(reply)) == 0) and provider_id ~= '' then
  reply = redis.call('GET', K.provider .. provider_id) or ''
end
local key, t = reply_key(reply), now()
local known = reply ~= '' and redis.call('EXISTS', key) == 1
local list = known and attempts_of(reply) or {}
local attempt = find_attempt(list, id)
for _, other in ipairs(list) do
  if provider_id ~= '' and other.provider_id == provider_id then attempt = other end
end

if word ~= '' then
  local whose = attempt and pair_of(reply) or pair
  if whose ~= '' and redis.call('SET', K.seen .. report, '1', 'NX', 'PX', heard) then opt(whose, word == 'out', t) end
end
if not attempt then return {known and get(key, 'state') or '', '0'} end
if thread ~= '' then keep_thread(read_thread(pair_of(reply), thread), get(key, 'conv')) end
if attempt.outcome ~= 'accepted' then take_accepted(reply, list, attempt, provider_id, retention, t) end

local rank = {stored = 0, sending = 1, sent = 2, delivered = 3, undelivered = 3, failed = 3}
if (rank[state] or 0) > (rank[get(key, 'state')] or 0) then
  redis.call('HSET', key, 'state', state, 'code', code)
  append(state, 'conv', get(key, 'conv'), 'reply', reply, 'attempt', attempt.id, 'code', code)
  if rank[state] == 3 then redis.call('ZREM', K.unsettled, reply) end
  if rank[state] == 3 and state ~= 'delivered' then redis.call('HSET', key, 'lost_at', whole(t)) end
  if state == 'undelivered' or state == 'failed' then not_reached(reply, t) end
end
return {get(key, 'state'), '0'}
