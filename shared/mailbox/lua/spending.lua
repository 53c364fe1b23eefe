-- What answering costs: tokens, turns and money, in books of days and months, of all and of each person.
--
-- A question to the model is a call. Its record (`boss:call:<id>`) is written before it is asked, with an upper bound of what it may
-- use, in tokens and in microdollars; that much is reserved in its books until the call is settled with what it used. A call whose use is not
-- known (no answer in time, a holder that died) is settled at its amount, as `ended`, and corrected when the truth comes after all.
--
-- The books of a call are four: day and month of all (UTC), day and month of its person, by their own clock. The record names them as
-- they were when it was reserved: there it counts, whenever it is settled. In each: `money`, `money_reserved`, `tokens`, `reserved`. In those
-- of all also what each model used (`model:`), and in the month's each day (`day:`). In the day of all: `turns`, `open` calls, `calls` made,
-- those that `failed` (no usable answer), and with a sender behind it (`tokens:`, `reserved:`) what is that sender's. All forwarding
-- addresses are one sender: who writes to them is chosen by nobody, and has no more of the day than one share.
--
-- A book is read and written as a whole: each text writes in all four, twice, and a command for each figure would be a tenth of its cost.

local DAY = 86400000
local RESERVED = K.reserved
local Money = {
  kept = {3 * DAY, 70 * DAY, 3 * DAY, 70 * DAY},  -- how long each of the four books is kept
  names = {'daily_dollars', 'monthly_dollars', 'person_daily_dollars', 'person_monthly_dollars'},  -- of their bounds
  told = K.near,
}

local function day_of(t) return whole(math.floor(t / DAY)) end
local function spent_key(day) return K.spent .. day end
local function model_call_key(id) return K.call .. id end

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

function Money.own_key(person, period) return K.spent_by .. person .. ':' .. period end

-- Who pays for what a message asks: a person's id, by how many ms their clock is ahead of UTC, and the id of their entry. `zones` says so of
-- each zone (`Europe/Berlin=3600000 ...`). All forwarding addresses are one.
function Money.account_of(sender, user, person, zones)
  if is_forwarding(sender) then return 'forwarded', 0 end
  local zone = zones ~= '' and redis.call('HGET', K.zones, user)
  local _, at = string.find(' ' .. zones, ' ' .. (zone or '=') .. '=', 1, true)
  return person ~= '' and person or '-', at and tonumber(string.match(zones, '^-?%d+', at)) or 0, user
end

-- A person's book that an older version has kept under the id of their entry goes on under their own.
function Money.adopt(key, person, user, t)
  local before = Money.own_key(user, string.match(key, '[^:]+$'))
  if redis.call('EXISTS', before) == 0 then return false end
  redis.call('RENAME', before, key)
  redis.call('ZREM', K.spenders, user)
  redis.call('ZADD', K.spenders, whole(t), person)
  return true
end

-- Where a call counts whose book has gone on under its person's id since it was reserved.
function Money.adopted(key)
  local user, period = string.match(key, ':(u%-[^:]*):([^:]+)$')
  local person = user and redis.call('HGET', K.people, user)
  local now = person and Money.own_key(person, period)
  return now and redis.call('EXISTS', now) == 1 and now or key
end

-- The books of a time: of all and of a person, the day's and the month's.
function Money.books_of(who, t)
  local month = Money.month_of(t)
  local own = t + who.offset
  return {spent_key(day_of(t)), spent_key(month), Money.own_key(who.person, day_of(own)), Money.own_key(who.person, (Money.month_of(own)))}
end

-- The most that a request with so many tokens of prompt and of output costs; `tiers` are `above input output`, in nanodollars a token.
function Money.most_of(tiers, prompt, output)
  local most = 0
  for above, input, out in string.gmatch(tiers, '(%d+) (%d+) (%d+)') do
    if above == '0' or tonumber(above) < prompt then most = math.max(most, prompt * input + output * out) end
  end
  return math.ceil(most / 1000)
end

-- Change figures of a book: {field, by how much, ...}. Answer: what they are now; nil where the book is gone, and nothing is changed.
function Money.change(key, changes)
  local fields, written, figures = {}, {}, {}
  for i = 1, #changes, 2 do fields[#fields + 1] = changes[i] end
  local before = redis.call('HMGET', key, unpack(fields))
  if not before[1] then return nil end
  for i, field in ipairs(fields) do
    figures[field] = (tonumber(before[i] or '') or 0) + changes[2 * i]
    if changes[2 * i] ~= 0 then
      written[#written + 1] = field
      written[#written + 1] = whole(figures[field])
    end
  end
  if #written > 0 then redis.call('HSET', key, unpack(written)) end
  return figures
end

-- By what the operator knows a person: the id of their entry.
function Money.user_of(person)
  local user = get(K.person .. person, 'user')
  return user ~= '' and user or person
end

-- Four fifths of a bound of a call's book are used: a line for the operator, once in its period, and for the log of whoever sweeps next.
function Money.near(call, place, name, used)
  local bound = call.bounds[name] or 0
  if bound == 0 or used * 5 < bound * 4 or redis.call('HSETNX', call.books[place], 'near:' .. name, 1) == 0 then return end
  local user = place > 2 and Money.user_of(string.match(call.books[place], ':([^:]+):[^:]+$')) or ''
  append('spend_near', 'bound', name, 'used', whole(used), 'of', whole(bound), 'user', user)
  redis.call('RPUSH', Money.told, name)
  redis.call('LTRIM', Money.told, -100, -1)
end

local function split(text)
  local words = {}
  for word in string.gmatch(text, '%S+') do words[#words + 1] = word end
  return words
end

-- The dollars of a call that an older version has reserved stand in a record beside it; in one that is older still, nowhere.
function Money.beside(call)
  local text = redis.call('GET', K.cost .. call.id)
  local words = text and split(text) or {}
  call.micros, call.model, call.of_month, call.lasts = tonumber(words[2] or '') or 0, words[4] or '-', words[5] or '-', tonumber(words[6] or '') or 0
  call.books, call.bounds = text and {words[7], words[8], Money.adopted(words[9]), Money.adopted(words[10])} or {spent_key(call.day)}, {}
  redis.call('ZREM', K.costs, call.id)
end

local function read_model_call(id)
  local text = id ~= '' and redis.call('GET', model_call_key(id))
  if not text then return nil end
  local words = split(text)
  local call = {id = id, state = words[1], day = words[2], amount = tonumber(words[3]), sender = words[4], token = words[5], conv = words[6]}
  if words[7] then
    call.micros, call.model, call.of_month, call.lasts = tonumber(words[7]), words[8], words[9], tonumber(string.match(words[10], '^%d+'))
    call.books, call.bounds = {unpack(words, 11)}, {}
    for i, key in ipairs(call.books) do call.books[i] = Money.adopted(key) end
    for name, bound in string.gmatch(words[10], '([%a_]+)=(%d+)') do call.bounds[name] = tonumber(bound) end
  else
    Money.beside(call)
  end
  return call
end

-- What is settled is settled once: of whom it was, and where it counted, is not written any more. What has ended without a word may still be
-- corrected; an erasure finds it in `ended`.
local function write_model_call(call)
  if call.state == 'settled' then
    redis.call('SET', model_call_key(call.id), table.concat({call.state, call.day, whole(call.amount), '- - -'}, ' '), 'PX', 2 * DAY)
    return
  end
  local lasts = {whole(call.lasts)}
  for name, bound in pairs(call.bounds) do
    if bound > 0 then lasts[#lasts + 1] = name .. '=' .. whole(bound) end
  end
  local words = {call.state, call.day, whole(call.amount), call.sender, call.token, call.conv, whole(call.micros), call.model, call.of_month,
    table.concat(lasts, ','), unpack(call.books)}
  redis.call('SET', model_call_key(call.id), table.concat(words, ' '), 'PX', 2 * DAY)
end

-- Into all books of a call: {reserved, used} in tokens and in money, and what is the day's alone. A person's books that are gone were
-- erased, and do not come back.
function Money.book(call, tokens, money, day)
  local all, model = {'reserved', tokens[1], 'tokens', tokens[2], 'money_reserved', money[1], 'money', money[2]}, 'model:' .. call.model
  if call.sender ~= '-' then
    day[#day + 1], day[#day + 2] = 'reserved:' .. payer(call.sender), tokens[1]
    day[#day + 1], day[#day + 2] = 'tokens:' .. payer(call.sender), tokens[2]
  end
  for i, key in ipairs(call.books) do
    local changes = {unpack(all)}
    if i <= 2 then
      changes[9], changes[10], changes[11], changes[12] = model .. ':tokens', tokens[2], model .. ':money', money[2]
    end
    if i == 1 then
      for _, word in ipairs(day) do changes[#changes + 1] = word end
    elseif i == 2 then
      local of_day = 'day:' .. call.of_month
      changes[13], changes[14], changes[15], changes[16] = of_day .. ':tokens', tokens[2], of_day .. ':money', money[2]
    end
    local now = Money.change(key, changes)
    if now and i == 1 then Money.near(call, 1, 'daily_tokens', now.tokens) end
    if now then Money.near(call, i, Money.names[i], now.money) end
  end
end

-- Settle a call, once: `used` tokens and `micros` dollars, or, while nobody knows (-1), its amount; tokens without a price beside them cost
-- the amount, unless there are none. `answer`: "good", "bad", or "" when it was not made. A call without a lease has its own end and is no
-- turn's. Answer: the call, nil where there is none.
local function settle(id, used, answer, micros)
  local call = read_model_call(id)
  if not call or call.state == 'settled' then return call end
  local known, tokens, money = used >= 0, used, micros or -1
  if tokens > call.amount or (money > call.micros and #call.books > 1) then
    append('reservation_exceeded', 'call', id, 'used', whole(tokens), 'reserved', whole(call.amount), 'cost', whole(money))
  end
  if not known then tokens, money = call.amount, call.micros elseif money < 0 then money = used == 0 and 0 or call.micros end
  if call.state == 'live' then
    local day = {'open', call.conv ~= '-' and -1 or 0, 'calls', answer ~= '' and 1 or 0, 'failed', answer == 'bad' and 1 or 0}
    Money.book(call, {-call.amount, tokens}, {-call.micros, money}, day)
    redis.call('ZREM', RESERVED, id)
    if get(conv_key(call.conv), 'call') == id then redis.call('HSET', conv_key(call.conv), 'call', '') end
  elseif known then
    Money.book(call, {0, tokens - call.amount}, {0, money - call.micros}, {})
  end
  call.state = known and 'settled' or 'ended'
  write_model_call(call)
  if known then
    redis.call('ZREM', K.ended, id)
  else
    redis.call('ZADD', K.ended, whole(now() + 2 * DAY), id)
    redis.call('ZREMRANGEBYSCORE', K.ended, '-inf', whole(now()))
  end
  return call
end

-- The conversation's call under way has nobody any more who could say what it used.
local function end_model_call(conv) settle(get(conv_key(conv), 'call'), -1, 'bad') end

-- A turn was answered, and its call settled; it counts in the day in which the call was reserved.
local function count_turn_of(call)
  if call then Money.near(call, 1, 'daily_turns', redis.call('HINCRBY', call.books[1], 'turns', 1)) end
end

-- What stands in the books of a moment, for whoever judges them and reserves in the same step.
function Money.look(sender, t, person, offset, user)
  local look, who = {t = t, sender = sender, person = person, offset = offset}, sender ~= '' and payer(sender) or '-'
  look.books = Money.books_of(look, t)
  for i, key in ipairs(look.books) do
    local fields = {'money', 'money_reserved', 'tokens', 'reserved'}
    if i == 1 then fields = {'money', 'money_reserved', 'tokens', 'reserved', 'turns', 'open', 'tokens:' .. who, 'reserved:' .. who} end
    look[i] = redis.call('HMGET', key, unpack(fields))
    look[i].new = not (look[i][1] or look[i][2])
    if i > 2 and user and look[i].new and Money.adopt(key, person, user, t) then look[i] = redis.call('HMGET', key, unpack(fields)) end
    for place = 1, #fields do look[i][place] = tonumber(look[i][place] or '') or 0 end
  end
  return look
end

-- Reserve `amount` tokens and `micros` dollars of a model, where `refusal` has found room in what was looked at. `call`: its id, conv and
-- token, and `ends`, when it is looked whether it still has a holder. The record holds the bounds, for `Money.near`.
function Money.reserve(look, call, amount, micros, model, bounds)
  local _, of_month = Money.month_of(look.t)
  call.state, call.day, call.amount, call.micros, call.of_month = 'live', day_of(look.t), amount, micros, of_month
  call.sender, call.books, call.lasts = look.sender ~= '' and look.sender or '-', look.books, math.max(0, call.ends - look.t)
  call.bounds = {daily_tokens = bounds.tokens, daily_turns = bounds.turns, daily_dollars = bounds.day, monthly_dollars = bounds.month}
  if look.person ~= '-' then call.bounds.person_daily_dollars, call.bounds.person_monthly_dollars = bounds.own_day, bounds.own_month end
  call.model = string.gsub(model ~= '' and model or '-', '%s', '_')
  write_model_call(call)
  for i, key in ipairs(look.books) do
    local book = look[i]
    local changes = {'money_reserved', whole(book[2] + micros), 'reserved', whole(book[4] + amount)}
    if i == 1 then
      if call.conv ~= '-' then changes[5], changes[6] = 'open', whole(book[6] + 1) end
      if look.sender ~= '' then changes[#changes + 1], changes[#changes + 2] = 'reserved:' .. payer(look.sender), whole(book[8] + amount) end
    end
    redis.call('HSET', key, unpack(changes))
    if book.new then redis.call('PEXPIRE', key, Money.kept[i]) end
  end
  redis.call('ZADD', RESERVED, whole(call.ends), call.id)
  if look[3].new then
    redis.call('ZREMRANGEBYSCORE', K.spenders, '-inf', whole(look.t - Money.kept[2]))
    redis.call('ZADD', K.spenders, whole(look.t), look.person)
  end
end

-- The same for a turn's question, under the lease that its holder has.
local function reserve(look, id, amount, cost, conv, token, bounds)
  local call = {id = id, conv = conv, token = token, ends = number(conv_key(conv), 'lease_end')}
  Money.reserve(look, call, amount, cost.micros, cost.model, bounds)
  redis.call('HSET', conv_key(conv), 'call', id)
end

-- Why `amount` tokens and `micros` dollars cannot be reserved now, or "". `bounds`: tokens and turns of a day, tokens of one sender in
-- it, and of all forwarding addresses; dollars of a day and of a month, of all and of a person; 0 for no bound.
-- "dear": more than a whole day's or month's. "month", "own_month": not this month any more. "spent", "share": not today any more, for
-- all or for one. "reserved": other calls may leave some of theirs.
local function refusal(look, bounds, amount, micros)
  local day, sender = look[1], look.sender
  local function over(used, reserved, more, bound)
    if bound == 0 then return 0 end
    return used + more > bound and 2 or used + more + reserved > bound and 1 or 0
  end
  local share = is_forwarding(sender) and bounds.forwarded or sender ~= '' and bounds.sender or 0
  if (bounds.tokens > 0 and amount > bounds.tokens) or (share > 0 and amount > share) then return 'dear' end
  local all = math.max(over(day[3], day[4], amount, bounds.tokens), over(day[5], day[6], 1, bounds.turns))
  local own = over(day[7], day[8], amount, share)
  local dollars = {bounds.day, bounds.month, bounds.own_day, bounds.own_month}
  for i = 1, 4 do
    local bound = (i <= 2 or look.person ~= '-') and dollars[i] or 0
    if bound > 0 and micros > bound then return 'dear' end
    dollars[i] = over(look[i][1], look[i][2], micros, bound)
  end
  if dollars[2] == 2 then return 'month' end
  if dollars[4] == 2 then return 'own_month' end
  if math.max(all, dollars[1]) == 2 then return 'spent' end
  if math.max(own, dollars[3]) == 2 then return 'share', own ~= 2 and dollars[3] == 2 end
  return math.max(all, own, unpack(dollars)) == 1 and 'reserved' or ''
end

-- One more question of the holder's turn is reserved for, where there is room. A repeat gets the first answer.
function Money.reserve_next(conv, token, call, amount, price, bounds, person, t)
  if read_model_call(call) then return 'ok' end
  end_model_call(conv)
  local sender, turn = get(conv_key(conv), 'sender'), get(conv_key(conv), 'turn')
  local user = get(turn_key(turn), 'user')
  local look = Money.look(sender, t, Money.account_of(sender, user, person, price.zones))
  local stop = refusal(look, bounds, amount, price.micros)
  if stop ~= '' then return stop end
  reserve(look, call, amount, price, conv, token, bounds)
  return 'ok'
end

-- A month's money is used up, of all or of one: the first who finds it so writes the operator's line.
function Money.month_over(stop, look)
  local book = stop == 'month' and 2 or 4
  if redis.call('HSETNX', look.books[book], 'stopped_at', whole(look.t)) == 0 then return false end
  append('month_stop', 'money', whole(look[book][1]), 'user', stop == 'month' and '' or Money.user_of(look.person))
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
  if not redis.call('SET', K.told_waits .. day .. ':' .. sender, '1', 'NX', 'PX', whole(2 * DAY)) then return '' end
  write_notice(conv, id, code, event, get(msg_key(first), 'user'), t)
  redis.call('HSET', msg_key(id), 'until', whole(tomorrow))
  redis.call('LPUSH', inbox_key(conv), id)
  redis.call('ZADD', OPEN, whole(t), id)
  return id
end

-- A sender hears once a day that a month's money is used up.
function Money.told_key(sender, t) return K.told_month .. day_of(t) .. ':' .. sender end
function Money.tell(sender, t) redis.call('SET', Money.told_key(sender, t), '1', 'PX', whole(2 * DAY)) end
