-- sweep: the conversations whose time has come, oldest first, at most `limit`. Each is looked at again when its wake-up's mark
-- ends, or after `recheck`: its caller may die before it has enqueued. Answer: {{conv, channel}, ...} to enqueue, and the ms until the
-- next one's time comes (-1: none is on the agenda); then the replies that did not reach their users, for the caller to tell
-- them elsewhere (`elsewhere`), at most 20 at a time; then the operators' requests for a retry that the caller is to serve, {operation,
-- message, operator}, at most `places`; 1 where reminders are due (`alarms`); and the bounds of which four fifths are used since the last
-- sweep, for the log.
-- The bounds 20 and 100 keep the script short, because Redis serves nobody else meanwhile; what is left comes with the next sweep.
-- What a process that is silent held is due at once. A call to the model whose holder's lease is over is settled at its amount, at most
-- 100 at a time. A mark from the future is none: TIME has stepped back since, and so it would outlive its wake-up.
-- uses: spending liveness indexes index_ends requests people ringing history
-- args: limit# recheck# mark# life# lease# places# summaries{places# hold# quiet#}
local t = now()
local woken = {}

-- Settle a call if its holder has no lease any more: nobody may claim its conversation again. Else it is looked at when the lease ends.
local function settle_if_left_behind(id)
  local call = read_model_call(id)
  local key = call and conv_key(call.conv)
  local cause, lives_until = 'left', 0
  if call and get(key, 'token') == call.token and get(key, 'call') == id then cause, lives_until = lease_over(call.conv, t, lease) end
  if not call then
    redis.call('ZREM', RESERVED, id)
  elseif call.conv == '-' and tonumber(redis.call('ZSCORE', RESERVED, id)) > t then
    -- further ahead than it lasts, TIME has stepped back since
    redis.call('ZADD', RESERVED, 'LT', whole(t + call.lasts), id)
  elseif cause == '' then
    redis.call('ZADD', RESERVED, whole(lives_until), id)
  else
    settle(id, -1, 'bad')
  end
end

look(t, life)
let_go_of_the_silent(t)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', RESERVED, '-inf', whole(t), 'LIMIT', 0, 100)) do settle_if_left_behind(id) end
-- Further ahead than a lease, TIME has stepped back since.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', RESERVED, '(' .. whole(t + lease), '+inf', 'LIMIT', 0, 100)) do settle_if_left_behind(id) end
if mark > 1000 then redis.call('SET', K.wait, whole(mark / 2), 'PX', 10000) end
local function wake_due(agenda, conv)
  local left = redis.call('PTTL', K.wake .. conv)
  if left > 0 and tonumber(redis.call('GET', K.wake .. conv)) > t then left = 0 end
  if left > 0 then
    redis.call('ZADD', agenda, whole(t + math.min(recheck, left)), conv)
  else
    redis.call('ZADD', agenda, whole(t + math.min(recheck, mark)), conv)
    redis.call('SET', K.wake .. conv, whole(t), 'PX', whole(mark))
    local channel = get(conv_key(conv), 'channel')
    woken[#woken + 1] = {conv, channel ~= '' and channel or 'sms'}
  end
end

local first
for _, agenda in ipairs(AGENDAS) do
  for _, conv in ipairs(redis.call('ZRANGEBYSCORE', agenda, '-inf', whole(t), 'LIMIT', 0, limit - #woken)) do wake_due(agenda, conv) end
  local score = tonumber(redis.call('ZRANGE', agenda, 0, 0, 'WITHSCORES')[2])
  if score then first = math.min(first or score, score) end
end
local alarm = tonumber(redis.call('ZRANGE', ALARMS, 0, 0, 'WITHSCORES')[2])
if alarm then first = math.min(first or alarm, alarm) end
if redis.call('ZCOUNT', ALARMS_READ, '(' .. whole(t), '+inf') > 0 then alarm = t end  -- read by a clock that has stepped back since
for _, reply in ipairs(redis.call('ZRANGEBYSCORE', K.untold, '(' .. whole(t + recheck), '+inf', 'LIMIT', 0, 20)) do
  redis.call('ZADD', K.untold, whole(capped(tonumber(redis.call('ZSCORE', K.untold, reply)), recheck, t, 'untold', 'reply', reply)), reply)
end
local untold = redis.call('ZRANGEBYSCORE', K.untold, '-inf', whole(t), 'LIMIT', 0, 20)
for _, reply in ipairs(untold) do redis.call('ZADD', K.untold, whole(t + recheck), reply) end
trim_indexes(5, t)
local near = redis.call('LRANGE', Money.told, 0, -1)
if #near > 0 then redis.call('DEL', Money.told) end
return {woken, first and math.max(0, math.floor(first - t)) or -1, untold, requests_to_serve(places, lease, t), alarm and alarm <= t and 1 or 0, near,
  History.summaries_to_make(summaries.places, summaries.hold, summaries.quiet, t)}
