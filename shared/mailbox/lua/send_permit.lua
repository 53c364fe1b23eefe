-- The permit for one request to the provider, judged and stored in one step; used by `sending`, and by `store_reply` for the first one.
-- `users` is the version of the registry of people by which the reply's address is its person's: under another one it is judged anew ("users").
-- `limits`: send, margin, pause_wait (ms), jitter (0 to 1), retention, oldest (ms), repeats (see `too_unsure`).
-- Answer: {verdict, attempt as JSON or "", "more", "empty" or ""}.

-- Whether a message of the turn has become too old for its answer to be sent.
local function turn_too_old(turn, pair, oldest, t)
  for _, id in ipairs(turn_messages(turn)) do
    if too_old(id, pair, oldest, t) then return true end
  end
  return false
end

-- Whether all that the turn was to say was taken back: a reminder that was cancelled or moved while its message waited.
local function withdrawn(turn)
  for _, id in ipairs(turn_messages(turn)) do
    if get(msg_key(id), 'withdrawn') == '1' then return true end
  end
  return false
end

-- What leaves now is the newest thing that was said in this conversation. A question that goes with it can be answered from now on, by what is
-- accepted later than this.
local function stamp_question(conv, reply, t)
  local id = get(reply_key(reply), 'approval')
  local key = Approvals.key(id)
  local asks = id ~= '' and get(key, 'state') == 'pending'
  redis.call('HSET', conv_key(conv), 'asked', asks and id or '')
  if not asks then return end
  local n, life = redis.call('INCR', Approvals.NUMBERS), whole(Approvals.WINDOW + Approvals.KEPT)
  if number(key, 'first') == 0 then redis.call('HSET', key, 'first', n) end
  redis.call('HSET', key, 'number', n, 'until', whole(t + Approvals.WINDOW))
  redis.call('PEXPIRE', key, life)
  redis.call('PEXPIRE', Approvals.code_key(get(key, 'approver'), get(key, 'code')), life)
end

local function take_permit(conv, token, reply, id, users, limits, t)
  local key = conv_key(conv)
  if get(key, 'token') ~= token or reply_of(get(key, 'turn')) ~= reply then return {'lost', '', ''} end
  local list = attempts_by(reply, t)
  local mine, index = find_attempt(list, id)
  if count_outcomes(list, 'accepted') > 0 then return {mine and 'lost' or 'sent', '', ''} end

  local pair, turn = pair_of(reply), get(key, 'turn')
  local out, halted, old = opted_out(pair), paused(pair) and not probes(token, pair), turn_too_old(turn, pair, limits.oldest, t)
  local short = number(key, 'lease_end') - t < limits.send + limits.margin
  local others = users >= 0 and users ~= number(K.registry_state, 'version')
  if mine then
    local again = index == #list and mine.outcome == '' and not out and not old and not halted and not short
    if not again or pair == '' then return {'lost', '', ''} end
    if others then return {'users', '', ''} end
    mine.at, mine.since = t, nil  -- its request leaves after this answer, and whoever looks for it counts from here
    write_attempts(reply, list)
    stamp_question(conv, reply, t)
    return {'ok', cjson.encode(mine), ''}
  end
  for _, attempt in ipairs(list) do
    if attempt.outcome == '' then return {'look_up', cjson.encode(attempt), ''} end
  end
  if others then return {'users', '', ''} end
  if out then return {'opted_out', '', close_turn(conv, token, 'ignored', 'opted_out', limits.retention, t)} end
  if #list == 0 and withdrawn(turn) then return {'cancelled', '', close_turn(conv, token, 'ignored', 'cancelled', limits.retention, t)} end
  if pair == '' then return {'no_pair', '', ''} end  -- nobody can know whether its user said STOP
  if halted then
    append('backoff', 'conv', conv, 'reason', 'paused', 'counted', 0)
    return {'paused', '', give_up(conv, token, t + math.floor(limits.pause_wait * (1 + limits.jitter / 2)), t)}
  end
  if old then return {'too_old', '', ''} end
  if too_unsure(list, limits.repeats + number(reply_key(reply), 'forgiven')) then return {'unknown', '', ''} end
  if short then return {'short', '', ''} end

  local attempt = {id = id, at = t, outcome = '', provider_id = '', code = ''}
  if count_outcomes(list, 'absent') > 0 then mark(reply, 'maybe_duplicate') end
  list[#list + 1] = attempt
  write_attempts(reply, list)
  redis.call('HSET', reply_key(reply), 'state', 'sending')
  stamp_question(conv, reply, t)
  append('sending', 'conv', conv, 'reply', reply, 'attempt', id, 'n', #list)
  return {'ok', cjson.encode(attempt), ''}
end
