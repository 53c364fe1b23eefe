-- What answering costs: tokens and turns in each day of the server's clock, all together and by sender.
--
-- A question to the model is a call. Its record (`boss:call:<id>`) is written before it is asked, with an upper bound of what it may
-- use; that much is reserved in its day until the call is settled with what it used. A call whose use is not known (no answer in time,
-- a holder that died) is settled at its amount, as `ended`, and corrected when the truth comes after all. A call belongs to the day in
-- which it was reserved, whenever it is settled. Of a day: `tokens` used, `reserved`, `turns`, `open` calls, `calls` made, those that
-- `failed` (no usable answer); `tokens:` and `reserved:` with a sender are that sender's. All forwarding addresses are one sender: who writes
-- to them is chosen by nobody, and has no more of the day than one share.
--
-- The same call in money is `boss:cost:<id>`: what it may cost at most, in microdollars, and the four books in which that is reserved and,
-- once, settled: day and month of all (UTC), day and month of its person, by their own clock. The record names the books as they were when
-- it was reserved. In a book: `money`, `money_reserved`, and `tokens`, `reserved` (a day's of all has its own). In those of all also what
-- each model used (`model:`), and in the month's each day (`day:`). It is kept beside the call's record, in a set of its own (`costs`):
-- an older version, which settles the one without the other, leaves it to the sweep.

local DAY = 86400000
local RESERVED = P .. 'reserved'
local Money = {costs = P .. 'costs', kept = {3 * DAY, 70 * DAY, 3 * DAY, 70 * DAY}}  -- how long each of the four books is kept

local function day_of(t) return whole(math.floor(t / DAY)) end
local function spent_key(day) return P .. 'spent:' .. day end
local function model_call_key(id) return P .. 'call:' .. id end

local function is_forwarding(sender) return string.sub(sender, 1, 2) == 'f-' end
local function payer(sender) return is_forwarding(sender) and 'forwarded' or sender end

-- The month of a time, as `2026-11`, and its day in it.
function Money.month_of(t)
  local z = math.floor(t / DAY) + 719468
  local era = math.floor(z / 146097)
  local of_era = z - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local from_march = math.floor((5 * of_year + 2) / 153)
  local month = from_march < 10 and from_march + 3 or from_march - 9
  local day = of_year - math.floor((153 * from_march + 2) / 5) + 1
  return string.format('%04d-%02d', year + era * 400 + (month <= 2 and 1 or 0), month), string.format('%02d', day)
end

function Money.cost_key(id) return P .. 'cost:' .. id end
function Money.own_key(person, period) return P .. 'spent:' .. person .. ':' .. period end

-- Who pays for what a message asks: a person's id, and by how many ms their clock is ahead of UTC. `zones` says so of each zone
-- (`Europe/Berlin=3600000 ...`). All forwarding addresses are one.
function Money.account_of(sender, user, zones)
  if is_forwarding(sender) then return 'forwarded', 0 end
  local zone = zones ~= '' and redis.call('HGET', P .. 'zones', user)
  local _, at = string.find(' ' .. zones, ' ' .. (zone or '=') .. '=', 1, true)
  return user ~= '' and user or '-', at and tonumber(string.match(zones, '^-?%d+', at)) or 0
end

-- The books of a time: of all and of a person, the day's and the month's.
function Money.books_of(cost, t)
  local month = Money.month_of(t)
  local own = t + cost.offset
  return {spent_key(day_of(t)), spent_key(month), Money.own_key(cost.person, day_of(own)), Money.own_key(cost.person, (Money.month_of(own)))}
end

-- The most that a request with so many tokens of prompt and of output costs; `tiers` are `above input output`, in nanodollars a token.
function Money.most_of(tiers, prompt, output)
  local most = 0
  for above, input, out in string.gmatch(tiers, '(%d+) (%d+) (%d+)') do
    if above == '0' or tonumber(above) < prompt then most = math.max(most, prompt * input + output * out) end
  end
  return math.ceil(most / 1000)
end

function Money.read(id)
  local text = id ~= '' and redis.call('GET', Money.cost_key(id))
  if not text then return nil end
  local words = {}
  for word in string.gmatch(text, '%S+') do words[#words + 1] = word end
  local books = {words[7], words[8], words[9], words[10]}
  return {id = id, state = words[1], micros = tonumber(words[2]), tokens = tonumber(words[3]), model = words[4], day = words[5],
    lasts = tonumber(words[6]), books = books}
end

function Money.write(cost)
  local words = {cost.state, whole(cost.micros), whole(cost.tokens), cost.model, cost.day, whole(cost.lasts), unpack(cost.books)}
  redis.call('SET', Money.cost_key(cost.id), table.concat(words, ' '), 'PX', 2 * DAY)
end

-- Into all books of a call; those of a person who was erased since do not come back.
function Money.book(cost, kind, money, tokens)
  cost.kept = cost.kept or redis.call('EXISTS', cost.books[4])
  for i, key in ipairs(cost.books) do
    if i <= 2 or cost.kept == 1 then
      redis.call('HINCRBY', key, 'money' .. kind, whole(money))
      if i > 1 then redis.call('HINCRBY', key, kind == '' and 'tokens' or 'reserved', whole(tokens)) end
    end
  end
end

function Money.book_use(cost, money, tokens)
  Money.book(cost, '', money, tokens)
  for i = 1, 2 do
    redis.call('HINCRBY', cost.books[i], 'model:' .. cost.model .. ':money', whole(money))
    redis.call('HINCRBY', cost.books[i], 'model:' .. cost.model .. ':tokens', whole(tokens))
  end
  redis.call('HINCRBY', cost.books[2], 'day:' .. cost.day .. ':money', whole(money))
  redis.call('HINCRBY', cost.books[2], 'day:' .. cost.day .. ':tokens', whole(tokens))
end

-- As `settle` below. Tokens without a price beside them cost the amount, unless there are none.
function Money.settle(id, used, micros)
  local cost = Money.read(id)
  if not cost or cost.state == 'settled' then return end
  local known = used >= 0
  local tokens, money = known and used or cost.tokens, cost.micros
  if known and micros >= 0 then money = micros elseif used == 0 then money = 0 end
  if cost.state == 'live' then
    Money.book(cost, '_reserved', 0 - cost.micros, 0 - cost.tokens)
    Money.book_use(cost, money, tokens)
    redis.call('ZREM', Money.costs, id)
  elseif known then
    Money.book_use(cost, money - cost.micros, tokens - cost.tokens)
  end
  cost.state = known and 'settled' or 'ended'
  Money.write(cost)
end

-- `cost`: {micros, model, person, offset}; `lasts` is the ms after which it is looked whether the call still has a holder.
function Money.reserve(id, tokens, cost, lasts, t)
  local _, day = Money.month_of(t)
  local model = string.gsub(cost.model ~= '' and cost.model or '-', '%s', '_')
  local new = {id = id, state = 'live', micros = cost.micros, tokens = tokens, model = model, day = day, lasts = lasts, books = Money.books_of(cost, t)}
  Money.write(new)
  for i, key in ipairs(new.books) do
    redis.call('HINCRBY', key, 'money_reserved', whole(cost.micros))
    if i > 1 then redis.call('HINCRBY', key, 'reserved', whole(tokens)) end
    redis.call('PEXPIRE', key, Money.kept[i])
  end
  redis.call('ZADD', Money.costs, whole(t + lasts), id)
  redis.call('ZREMRANGEBYSCORE', P .. 'spenders', '-inf', whole(t - Money.kept[2]))
  redis.call('ZADD', P .. 'spenders', whole(t), cost.person)
end

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

-- Settle a call, once: `used` tokens and `micros` dollars, or, while nobody knows (-1), its amount. `answer`: "good", "bad", or "" when it
-- was not made. A call without a lease has its own end and is no turn's.
local function settle(id, used, answer, micros)
  Money.settle(id, used, micros or -1)
  local call = read_model_call(id)
  if not call or call.state == 'settled' then return end
  local known = used >= 0
  if call.state == 'live' then
    add(call, 'reserved', -call.amount)
    add(call, 'tokens', known and used or call.amount)
    if call.conv ~= '-' then redis.call('HINCRBY', spent_key(call.day), 'open', -1) end
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

local function reserve(id, amount, conv, token, sender, t, cost)
  local call = {id = id, state = 'live', day = day_of(t), amount = amount, sender = sender ~= '' and sender or '-', token = token, conv = conv}
  local lease_end = number(conv_key(conv), 'lease_end')
  write_model_call(call)
  add(call, 'reserved', amount)
  redis.call('HINCRBY', spent_key(call.day), 'open', 1)
  redis.call('ZADD', RESERVED, whole(lease_end), id)
  redis.call('HSET', conv_key(conv), 'call', id)
  Money.reserve(id, amount, cost, math.max(0, lease_end - t), t)
end

-- The same for a call that is no turn's: it has no lease, and ends by itself after `lasts`.
function Money.reserve_job(id, amount, t, cost, lasts)
  local call = {id = id, state = 'live', day = day_of(t), amount = amount, sender = '-', token = '-', conv = '-'}
  write_model_call(call)
  add(call, 'reserved', amount)
  redis.call('ZADD', RESERVED, whole(t + lasts), id)
  Money.reserve(id, amount, cost, lasts, t)
end

-- A turn was answered, and its call settled; it counts in the day in which the call was reserved.
local function count_turn_of(id)
  local call = read_model_call(id)
  if call then redis.call('HINCRBY', spent_key(call.day), 'turns', 1) end
end

-- Why `amount` tokens and `cost.micros` dollars cannot be reserved now, or "". `bounds`: tokens and turns of a day, tokens of one sender in
-- it, and of all forwarding addresses; dollars of a day and of a month, of all and of a person; 0 for no bound.
-- "dear": more than a whole day's or month's. "month", "own_month": not this month any more. "spent", "share": not today any more, for
-- all or for one. "reserved": other calls may leave some of theirs.
local function refusal(bounds, sender, amount, t, cost)
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
  local dollars, books = {bounds.day, bounds.month, bounds.own_day, bounds.own_month}, Money.books_of(cost, t)
  for i = 1, 4 do
    local bound = (i <= 2 or cost.person ~= '-') and dollars[i] or 0
    if bound > 0 and cost.micros > bound then return 'dear' end
    local written = bound > 0 and redis.call('HMGET', books[i], 'money', 'money_reserved') or {}
    local spent = (tonumber(written[1] or '') or 0) + cost.micros
    dollars[i] = bound == 0 and 0 or spent > bound and 2 or spent + (tonumber(written[2] or '') or 0) > bound and 1 or 0
  end
  if dollars[2] == 2 then return 'month' end
  if dollars[4] == 2 then return 'own_month' end
  if math.max(all, dollars[1]) == 2 then return 'spent' end
  if math.max(own, dollars[3]) == 2 then return 'share', own ~= 2 and dollars[3] == 2 end
  return math.max(all, own, unpack(dollars)) == 1 and 'reserved' or ''
end

-- The bounds of which four fifths are used, each once in its period: a line for the operator. Answer: their names.
function Money.near(bounds, t, cost)
  local books, found = Money.books_of(cost, t), {}
  local function look_at(book, field, bound, name)
    if bound == 0 then return end
    local used = number(books[book], field)
    if used * 5 < bound * 4 or redis.call('HSETNX', books[book], 'near:' .. name, 1) == 0 then return end
    append('spend_near', 'bound', name, 'used', whole(used), 'of', whole(bound), 'user', book > 2 and cost.person or '')
    found[#found + 1] = name
  end
  look_at(1, 'tokens', bounds.tokens, 'daily_tokens')
  look_at(1, 'turns', bounds.turns, 'daily_turns')
  look_at(1, 'money', bounds.day, 'daily_dollars')
  look_at(2, 'money', bounds.month, 'monthly_dollars')
  if cost.person ~= '-' then
    look_at(3, 'money', bounds.own_day, 'person_daily_dollars')
    look_at(4, 'money', bounds.own_month, 'person_monthly_dollars')
  end
  return found
end

-- A month's money is used up, of all or of one: the first who finds it so writes the operator's line.
function Money.month_over(stop, t, cost)
  local books = Money.books_of(cost, t)
  local key = stop == 'month' and books[2] or books[4]
  if redis.call('HSETNX', key, 'stopped_at', whole(t)) == 0 then return false end
  append('month_stop', 'money', whole(number(key, 'money')), 'user', stop == 'month' and '' or cost.person)
  return true
end

-- The first who finds the day used up writes the alarm's line, and answers with it.
local function alarm(t)
  local key = spent_key(day_of(t))
  if redis.call('HSETNX', key, 'stopped_at', whole(t)) == 0 then return 'spent' end
  redis.call('PEXPIRE', key, Money.kept[1])
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

-- A sender whose answer waits for the next day is told so, once a day, at the head of the inbox: what comes first is held. The day is that
-- of a clock which is `offset` ahead of UTC.
-- Answer: the notice's id, or "" when nobody is to be told. A message of a bridge's has no provider by which its sender could be told.
local function tell_of_waiting(conv, first, id, code, t, offset)
  local key, day = conv_key(conv), day_of(t + offset)
  local sender, event, tomorrow = get(key, 'sender'), get(msg_key(first), 'event'), (day + 1) * DAY - offset
  if sender == '' or event == '' or get(msg_key(first), 'kind') == 'bridge' or opted_out(get(key, 'pair')) then return '' end
  if not redis.call('SET', P .. 'told:waits:' .. day .. ':' .. sender, '1', 'NX', 'PX', whole(2 * DAY)) then return '' end
  write_notice(conv, id, code, event, get(msg_key(first), 'user'), t)
  redis.call('HSET', msg_key(id), 'until', whole(tomorrow))
  redis.call('LPUSH', inbox_key(conv), id)
  redis.call('ZADD', OPEN, whole(t), id)
  return id
end

-- A sender hears once a day that a month's money is used up.
function Money.told_key(sender, t) return P .. 'told:month:' .. day_of(t) .. ':' .. sender end
function Money.tell(sender, t) redis.call('SET', Money.told_key(sender, t), '1', 'PX', whole(2 * DAY)) end
