-- accept: a message from outside, once.
-- A known id changes nothing ("duplicate"). Opt-out and rate are judged here, after the deduplication; what is not admitted is
-- recorded with its reason and without its text. A bridge message is answered over the bridge and nowhere else: an opt-out, which
-- is from texts to a phone, does not concern it, and the sentence on a rate goes back as the answer. A robot that answers us
-- without saying that it is one shows by what it says: our own words, or its own once more; the third time in a row is not answered.
-- Otherwise the event is stored, appended to its conversation's inbox, and
-- the conversation becomes due, and is woken at once unless it settles first. No room ("full"): nothing changes, the sender's
-- provider or our spool keeps it.
-- `mark` is how long the id is known, `kept` how long the record of what is ignored stays. `via` names the way of a message that its
-- webhook did not bring; `copy` says that it may have been answered before, and its reply will bear the mark `maybe_duplicate`.
-- `user` is the id of the entry of the users file that it comes from: records outlive the conversation's, and say whose they are.
-- Answer: {outcome, reason}.
-- args: id channel kind conv sender pair event mark settle# limit# keyword verdict most# texts# digest echo_window# hourly# daily# kept
-- args: via copy user wake...

if redis.call('EXISTS', P .. 'seen:' .. id) == 1 or redis.call('EXISTS', msg_key(id)) == 1 then return {'duplicate', ''} end

local t = now()
local rate = P .. 'rate:' .. sender
local out = kind ~= 'bridge' and opted_out(pair)

-- A text joins the turn that the inbox's last text will start, unless that is full; anything else starts a turn of its own.
local function starts_turn()
  if redis.call('LLEN', inbox_key(conv)) % texts == 0 then return true end
  local tail = kind == 'text' and redis.call('LINDEX', inbox_key(conv), -1)
  if not tail then return true end
  local key = msg_key(tail)
  return not (get(key, 'state') == 'pending' and get(key, 'kind') == 'text' and number(key, 'errors') < 2 and number(key, 'lost') < 2)
end

-- Turns of this conversation that began in the present hour or day of the server's clock.
local function begun(span, length)
  return get(conv_key(conv), span) == whole(math.floor(t / length)) and number(conv_key(conv), span .. '_turns') or 0
end

local function count_turn(span, length)
  redis.call('HSET', conv_key(conv), span .. '_turns', begun(span, length) + 1, span, whole(math.floor(t / length)))
end

local function over_rate()
  local oldest = redis.call('LINDEX', rate, limit - 1)
  if oldest and tonumber(oldest) > t - 3600000 then return true end
  return begun('hour', 3600000) >= hourly or begun('day', 86400000) >= daily
end

local function echoes()
  local key = conv_key(conv)
  local so_far, heard_at = number(key, 'echoes'), number(key, 'heard_at')
  local same = digest ~= '' and (digest == get(key, 'said') or digest == get(key, 'heard'))
  local after_us = number(key, 'said_at') >= heard_at  -- who repeats unanswered words is impatient, and no robot
  if not same or heard_at <= t - echo_window then return 0 end
  return after_us and so_far + 1 or so_far
end

local echoed = echoes()
local way = via ~= '' and {'via', via} or {}
if copy == '1' then way[#way + 1], way[#way + 2] = 'maybe_duplicate', '1' end

local counted = false
if verdict == '' then
  if keyword == 'stop' then
    verdict = 'opt_out'
  elseif keyword == 'start' or (keyword == 'yes' and out) then
    verdict = 'opt_in'
  elseif out then
    verdict = 'opted_out'
  elseif echoed >= 3 then
    verdict = 'echo'
  elseif starts_turn() then
    counted = true
    if over_rate() then verdict = 'rate_limited' end
  end
end

local full = redis.call('ZCARD', OPEN) >= most
if full and verdict == '' then return {'full', ''} end

redis.call('HSET', msg_key(id), 'v', VERSION, 'id', id, 'conv', conv, 'channel', channel, 'kind', kind, 'accepted_at', whole(t), 'active_at', whole(active(t, pair)))
redis.call('SET', P .. 'seen:' .. id, '1', 'PX', mark)
redis.call('ZADD', P .. 'recent', whole(t), id)
redis.call('ZREMRANGEBYRANK', P .. 'recent', 0, -10001)
if digest ~= '' and (verdict == '' or verdict == 'echo') then
  redis.call('HSET', conv_key(conv), 'heard', digest, 'heard_at', whole(t), 'echoes', echoed)
end

if verdict ~= '' then
  redis.call('HSET', msg_key(id), 'state', 'ignored', 'reason', verdict)
  redis.call('PEXPIRE', msg_key(id), kept)
  append('ignored', 'conv', conv, 'msg', id, 'channel', channel, 'reason', verdict, unpack(way))
  if verdict == 'opt_out' then
    opt(pair, true, t)
  elseif verdict == 'opt_in' then
    opt(pair, false, t)
  elseif verdict == 'rate_limited' and kind ~= 'bridge' and not full
    and redis.call('SET', P .. 'told:' .. sender, '1', 'NX', 'PX', 3600000) then
    redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', pair, 'sender', sender)
    add_notice(conv, id, 'rate_limited', event, user, t)
  end
  return {'ignored', verdict}
end

redis.call('HSET', msg_key(id), 'state', 'pending', 'event', event, 'pair', pair, 'sender', sender, 'user', user)
if copy == '1' then redis.call('HSET', msg_key(id), 'maybe_duplicate', 1) end
redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', pair, 'sender', sender)
if counted then
  redis.call('LPUSH', rate, whole(t))
  redis.call('LTRIM', rate, 0, limit - 1)
  redis.call('PEXPIRE', rate, 3600000)
  count_turn('hour', 3600000)
  count_turn('day', 86400000)
end
into_inbox(conv, id, settle, t)
append(channel .. '_received', 'conv', conv, 'msg', id, 'channel', channel, unpack(way))
return {'accepted', ''}
