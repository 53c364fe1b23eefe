-- Attempts of a reply: reading, writing, and what an accepted one means.

local function attempts_of(reply)
  local list = get(reply_key(reply), 'attempts')
  return list ~= '' and list ~= '[]' and cjson.decode(list) or {}
end

-- The pair that a reply is for: its record outlives the conversation's. One stored by an older version has none of its own.
local function pair_of(reply)
  local pair = get(reply_key(reply), 'pair')
  return pair ~= '' and pair or get(conv_key(get(reply_key(reply), 'conv')), 'pair')
end

local function write_attempts(reply, list)
  redis.call('HSET', reply_key(reply), 'attempts', #list > 0 and cjson.encode(list) or '[]')
end

-- The attempts as they can be by the clock: the time of none's request, and no look, begins later than now. `at` stays, for it is compared
-- with the provider's clock.
local function attempts_by(reply, t)
  local list, changed = attempts_of(reply), false
  for _, attempt in ipairs(list) do
    local since, looked = attempt.since or attempt.at, attempt.looked or 0
    if since > t then
      attempt.since = capped(since, 0, t, 'attempt', 'reply', reply, 'attempt', attempt.id)
      changed = true
    end
    if looked > t then
      attempt.looked = capped(looked, 0, t, 'look_up', 'reply', reply, 'attempt', attempt.id)
      changed = true
    end
  end
  if changed then write_attempts(reply, list) end
  return list
end

local function find_attempt(list, id)
  for index, attempt in ipairs(list) do
    if attempt.id == id then return attempt, index end
  end
end

local function count_outcomes(list, outcome)
  local n = 0
  for _, attempt in ipairs(list) do
    if attempt.outcome == outcome then n = n + 1 end
  end
  return n
end

-- Nothing is under way any more: the reply waits as before its first attempt.
local function rest(reply, list)
  if count_outcomes(list, '') == 0 and get(reply_key(reply), 'state') == 'sending' then redis.call('HSET', reply_key(reply), 'state', 'stored') end
end

-- A mark beside the reply's state, told in the ledger once.
local function mark(reply, name)
  local key = reply_key(reply)
  if get(key, name) == '1' then return end
  redis.call('HSET', key, name, 1)
  append(name, 'conv', get(key, 'conv'), 'turn', get(key, 'turn'), 'reply', reply)
end

-- An attempt that stayed of unknown outcome, while its conversation goes on: its message may turn up in the provider's list later, and
-- then it is not another reply's that says the same. The newest 200 of a conversation; who reads them asks the records what they are.
local function keep_unsure(reply, attempt, retention)
  local key = K.unsure .. get(reply_key(reply), 'conv')
  redis.call('ZADD', key, whole(attempt.at), reply)
  redis.call('ZREMRANGEBYRANK', key, 0, -201)
  redis.call('PEXPIRE', key, retention)
end

-- Whether too much of a reply's outcome is unknown to send it once more: each attempt that no look-up found may have been taken, whatever
-- became of its request. A gateway's 5xx can come after the provider has taken it, and so can the end of the worker that asked.
-- `repeats`: how many of them may be followed by another one.
local function too_unsure(list, repeats) return count_outcomes(list, 'absent') > repeats end

-- A text of which no final report has come is asked about after a while (`unsettled`). The newest 50,000; the score is when it was taken.
local function await_report(reply, t)
  if not REPORTS_LATE[get(reply_key(reply), 'channel')] then return end
  redis.call('ZADD', K.unsettled, whole(t), reply)
  redis.call('ZREMRANGEBYRANK', K.unsettled, 0, -50001)
end

-- What the provider bills for the attempt that it took: a text's segments, by country and encoding.
local function count_segments(key)
  local segments = number(key, 'segments')
  if segments > 0 then
    redis.call('HINCRBY', K.counts, 'segments:' .. get(key, 'price_class') .. ':' .. get(key, 'encoding'), segments)
  end
end

-- The provider took this attempt. The reply is `sent` for good; messages that were parked meanwhile are answered after all.
local function take_accepted(reply, list, attempt, provider_id, retention, t)
  local key = reply_key(reply)
  local first = count_outcomes(list, 'accepted') == 0
  attempt.outcome = 'accepted'
  attempt.provider_id = provider_id
  write_attempts(reply, list)
  if provider_id ~= '' then redis.call('SET', K.provider .. provider_id, reply, 'PX', retention) end
  local conv, turn = get(key, 'conv'), get(key, 'turn')
  append('sent', 'conv', conv, 'reply', reply, 'attempt', attempt.id)
  count_segments(key)
  provider_took(PROVIDERS[get(key, 'channel')] or '?', attempt.at, t)
  if not first then
    mark(reply, 'maybe_duplicate')
    return
  end
  redis.call('HSET', key, 'state', 'sent', 'maybe_sent', 0)
  await_report(reply, t)
  local parked = false
  for _, id in ipairs(turn_messages(turn)) do
    if get(msg_key(id), 'state') == 'parked' and get(msg_key(id), 'turn') == turn then
      settle_message(id, conv, turn, 'answered', '', retention, t)
      parked = true
    end
  end
  if parked then
    remember(conv, turn, retention)
    redis.call('PEXPIRE', key, retention)
    redis.call('PEXPIRE', turn_key(turn), retention)
    redis.call('DEL', steps_key(turn))
  end
end

-- The user will not get this reply: it is listed, once, for whoever sweeps next to tell them on their other channel. What tells of such a
-- loss is not, so that two dead channels do not tell of each other; that of any other notice is, and that of a reminder. What a program
-- had us say is told to the program alone. A turn that ends before it has a reply is listed by the name that its reply would have.
local function not_reached(reply, t)
  local first = msg_key(turn_messages(turn_of(reply))[1] or '')
  local listed = redis.call('EXISTS', reply_key(reply)) == 1 and reply_key(reply) or turn_key(turn_of(reply))
  local kind, notice = get(first, 'kind'), get(first, 'notice')
  if (kind == 'notice' and notice == '') or kind == 'question' or kind == 'outgoing' or get(first, 'elsewhere') == '1' then return end
  if kind == '' or kind == 'bridge' or redis.call('HSETNX', listed, 'untold', whole(t)) == 0 then return end
  if notice ~= '' then redis.call('HSET', listed, 'notice', notice) end
  redis.call('ZADD', K.untold, whole(t), reply)
  local dropped = redis.call('ZREMRANGEBYRANK', K.untold, 0, -10001)
  if dropped > 0 then append('untold', 'reason', 'too_many', 'n', dropped) end
end
