-- sweep: the conversations whose time has come, oldest first, at most `limit`. Each is looked at again when its wake-up's mark
-- ends, or after `recheck`: its caller may die before it has enqueued. Answer: {{conv, channel}, ...} to enqueue, and the ms until the
-- next one's time comes (-1: none is on the agenda); then the replies that did not reach their users, for the caller to tell
-- them elsewhere (`elsewhere`), at most 20 at a time. A call to the model whose holder's lease has ended is settled at its amount, at most
-- 100 at a time.
-- uses: spending
-- args: limit# recheck# mark#
local t = now()
settle_left_behind(t)
local woken = {}
if mark > 1000 then redis.call('SET', P .. 'wait', whole(mark / 2), 'PX', 10000) end
for _, conv in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', whole(t), 'LIMIT', 0, limit)) do
  local left = redis.call('PTTL', P .. 'wake:' .. conv)
  if left > 0 then
    redis.call('ZADD', DUE, whole(t + math.min(recheck, left)), conv)
  else
    redis.call('ZADD', DUE, whole(t + math.min(recheck, mark)), conv)
    redis.call('SET', P .. 'wake:' .. conv, whole(t), 'PX', whole(mark))
    local channel = get(conv_key(conv), 'channel')
    woken[#woken + 1] = {conv, channel ~= '' and channel or 'sms'}
  end
end
local first = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2]
local untold = redis.call('ZRANGEBYSCORE', UNTOLD, '-inf', whole(t), 'LIMIT', 0, 20)
for _, reply in ipairs(untold) do redis.call('ZADD', UNTOLD, whole(t + recheck), reply) end
return {woken, first and math.max(0, math.floor(tonumber(first) - t)) or -1, untold}
