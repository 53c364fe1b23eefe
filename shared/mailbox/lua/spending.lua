-- What answering costs: tokens and turns in each day of the server's clock, all together and by sender.
--
-- A question to the model is a call. Its record (`boss:call:<id>`) is written before it is asked, with an upper bound of what it may
-- use; that much is reserved in its day until the call is settled with what it used. A call whose use is not known (no answer in time,
-- a holder that died) is settled at its amount, as `ended`, and corrected when the truth comes after all. A call belongs to the day in
-- which it was reserved, whenever it is settled. Of a day: `tokens` used, `reserved`, `turns`, `open` calls, `calls` made, those that
-- `failed` (no usable answer); `tokens:` and `reserved:` with a sender are that sender's. All forwarding addresses are one sender: who writes
-- to them is chosen by nobody, and has no more of the day than one share.

local DAY = 86400000
local RESERVED = P .. 'reserved'

local function day_of(t) return whole(math.floor(t / DAY)) end
local function spent_key(day) return P .. 'spent:' .. day end
local function model_call_key(id) return P .. 'call:' .. id end

local function is_forwarding(sender) return string.sub(sender, 1, 2) == 'f-' end
local function payer(sender) return is_forwarding(sender) and 'forwarded' or sender end

local function add(call, field, n)
  redis.call('HINCRBY', spent_key(call.day), field, n)
  if call.sender ~= '-' then redis.call('HINCRBY', spent_key(call.day), field .. ':' .. payer(call.sender), n) end
end

local function read_model_call(id)
  local text = id ~= '' and redis.call('GET', model_call_key(id))
  if not text then return nil end
  local state, day, amount, sender, token, conv = string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  return {id = id, state = state, day = day, amount = tonumber(amount), sender = sender, token = token, conv = conv}
end

local function write_model_call(call)
  local fields = {call.state, call.day, whole(call.amount), call.sender, call.token, call.conv}
  redis.call('SET', model_call_key(call.id), table.concat(fields, ' '), 'PX', 2 * DAY)
end

-- Settle a call, once: `used` tokens, or, while nobody knows (-1), its amount. `answer`: "good", "bad", or "" when it was not made.
local function settle(id, used, answer)
  local call = read_model_call(id)
  if not call or call.state == 'settled' then return end
  local known = used >= 0
  if call.state == 'live' then
    add(call, 'reserved', -call.amount)
    add(call, 'tokens', known and used or call.amount)
    redis.call('HINCRBY', spent_key(call.day), 'open', -1)
    if answer ~= '' then redis.call('HINCRBY', spent_key(call.day), 'calls', 1) end
    if answer == 'bad' then redis.call('HINCRBY', spent_key(call.day), 'failed', 1) end
    redis.call('ZREM', RESERVED, id)
    if get(conv_key(call.conv), 'call') == id then redis.call('HSET', conv_key(call.conv), 'call', '') end
  elseif known then
    add(call, 'tokens', used - call.amount)
  end
  call.state = known and 'settled' or 'ended'
  write_model_call(call)
end

-- The conversation's call under way has nobody any more who could say what it used.
local function end_model_call(conv) settle(get(conv_key(conv), 'call'), -1, 'bad') end

local function reserve(id, amount, conv, token, sender, t)
  local call = {id = id, state = 'live', day = day_of(t), amount = amount, sender = sender ~= '' and sender or '-', token = token, conv = conv}
  write_model_call(call)
  add(call, 'reserved', amount)
  redis.call('HINCRBY', spent_key(call.day), 'open', 1)
  redis.call('PEXPIRE', spent_key(call.day), 2 * DAY)
  redis.call('ZADD', RESERVED, whole(number(conv_key(conv), 'lease_end')), id)
  redis.call('HSET', conv_key(conv), 'call', id)
end

-- A turn was answered, and its call settled; it counts in the day in which the call was reserved.
local function count_turn_of(id)
  local call = read_model_call(id)
  if call then redis.call('HINCRBY', spent_key(call.day), 'turns', 1) end
end

-- Why `amount` tokens cannot be reserved now, or "". `bounds`: tokens and turns of a day, tokens of one sender in it, and of all forwarding
-- addresses; 0 for no bound.
-- "dear": more than a whole day's. "spent", "share": not today any more. "reserved": other calls may leave some of theirs.
local function refusal(bounds, sender, amount, t)
  local day = redis.call('HMGET', spent_key(day_of(t)), 'tokens', 'reserved', 'turns', 'open', 'tokens:' .. payer(sender), 'reserved:' .. payer(sender))
  local function over(used, reserved, more, bound)
    if bound == 0 then return 0 end
    local all = (tonumber(day[used] or '') or 0) + more
    return all > bound and 2 or all + (tonumber(day[reserved] or '') or 0) > bound and 1 or 0
  end
  local share = is_forwarding(sender) and bounds.forwarded or sender ~= '' and bounds.sender or 0
  if (bounds.tokens > 0 and amount > bounds.tokens) or (share > 0 and amount > share) then return 'dear' end
  local all = math.max(over(1, 2, amount, bounds.tokens), over(3, 4, 1, bounds.turns))
  local own = over(5, 6, amount, share)
  if all == 2 then return 'spent' end
  if own == 2 then return 'share' end
  return (all == 1 or own == 1) and 'reserved' or ''
end

-- The first who finds the day used up writes the alarm's line, and answers with it.
local function alarm(t)
  local key = spent_key(day_of(t))
  if redis.call('HSETNX', key, 'stopped_at', whole(t)) == 0 then return 'spent' end
  redis.call('PEXPIRE', key, 2 * DAY)
  append('spend_stop', 'tokens', whole(number(key, 'tokens')), 'turns', whole(number(key, 'turns')))
  return 'spend_stop'
end

-- What waits for room in a day does not age. `hold`: from now on; `release`: what has passed since is taken off the age of each message
-- that waited, for as long as it did. Both are by the clock that stands still in pauses, so that no time counts twice.
local function hold(conv, t)
  local key = conv_key(conv)
  if get(key, 'held_at') == '' then redis.call('HSET', key, 'held_at', whole(active(t, get(key, 'pair')))) end
end

local function release(conv, t)
  local key = conv_key(conv)
  local since = get(key, 'held_at')
  if since == '' then return end
  local clock = active(t, get(key, 'pair'))
  for _, id in ipairs(redis.call('LRANGE', inbox_key(conv), 0, -1)) do
    local from = number(msg_key(id), 'active_at')
    if from > 0 then redis.call('HSET', msg_key(id), 'active_at', whole(from + math.max(0, clock - math.max(from, tonumber(since))))) end
  end
  redis.call('HSET', key, 'held_at', '')
end

-- A sender whose answer waits for the next day is told so, once a day, at the head of the inbox: what comes first is held.
-- Answer: the notice's id, or "" when nobody is to be told. A message of a bridge's has no provider by which its sender could be told.
local function tell_of_waiting(conv, first, id, code, t)
  local key = conv_key(conv)
  local sender, event, tomorrow = get(key, 'sender'), get(msg_key(first), 'event'), (math.floor(t / DAY) + 1) * DAY
  if sender == '' or event == '' or get(msg_key(first), 'kind') == 'bridge' or opted_out(get(key, 'pair')) then return '' end
  if not redis.call('SET', P .. 'told:waits:' .. day_of(t) .. ':' .. sender, '1', 'NX', 'PX', whole(2 * DAY)) then return '' end
  write_notice(conv, id, code, event, get(msg_key(first), 'user'), t)
  redis.call('HSET', msg_key(id), 'until', whole(tomorrow))
  redis.call('LPUSH', inbox_key(conv), id)
  redis.call('ZADD', OPEN, whole(t), id)
  return id
end
