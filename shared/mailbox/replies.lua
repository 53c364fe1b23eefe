-- Attempts of a reply: reading, writing, and what an accepted one means.

local function attempts_of(reply)
  local list = get(reply_key(reply), 'attempts')
  return list ~= '' and list ~= '[]' and cjson.decode(list) or {}
end

local function write_attempts(reply, list)
  redis.call('HSET', reply_key(reply), 'attempts', #list > 0 and cjson.encode(list) or '[]')
end

local function find_attempt(list, id)
  for index, attempt in ipairs(list) do
    if attempt.id == id then return attempt, index end
  end
end

local function count(list, outcome)
  local n = 0
  for _, attempt in ipairs(list) do
    if attempt.outcome == outcome then n = n + 1 end
  end
  return n
end

-- The provider took this attempt. The reply is `sent` for good; messages that were parked meanwhile are answered after all.
local function take_accepted(reply, list, attempt, provider_id, retention, t)
  local key = reply_key(reply)
  local first = count(list, 'accepted') == 0
  attempt.outcome = 'accepted'
  attempt.provider_id = provider_id
  write_attempts(reply, list)
  if provider_id ~= '' then redis.call('SET', P .. 'provider:' .. provider_id, reply, 'PX', retention) end
  local conv, turn = get(key, 'conv'), get(key, 'turn')
  append('sent', 'conv', conv, 'reply', reply, 'attempt', attempt.id)
  if not first then
    redis.call('HSET', key, 'maybe_duplicate', 1)
    return
  end
  redis.call('HSET', key, 'state', 'sent', 'maybe_sent', 0)
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
  end
end

-- The user will not get this reply: it is listed, once, for whoever sweeps next to tell them on their other channel. A notice's own
-- reply is not, so that two dead channels do not tell of each other.
local function not_reached(reply, t)
  local kind = get(msg_key(turn_messages(get(reply_key(reply), 'turn'))[1] or ''), 'kind')
  if (kind ~= 'text' and kind ~= 'mail') or redis.call('HSETNX', reply_key(reply), 'untold', whole(t)) == 0 then return end
  redis.call('ZADD', UNTOLD, whole(t), reply)
  local dropped = redis.call('ZREMRANGEBYRANK', UNTOLD, 0, -10001)
  if dropped > 0 then append('untold', 'reason', 'too_many', 'n', dropped) end
end
