-- erase_ends: what is kept of an erased person's addresses and of their ways to the Boss, by `user` (their entry's id), `senders` and `ways`
-- (ids, separated by blanks): what counts in their bounds, what they were told, who waits for whom. What names records that there are is
-- somebody else's, or was made since `at`, when the erasure began. Opt-outs stay, and an operator's pauses.
-- uses: indexes index_ends
-- args: user at# senders ways
local DAY = 86400000
local t = now()

local function each_of(names) return string.gmatch(names, '%S+') end

-- Take out of a sorted set what names no record any more.
local function prune(set, record)
  for _, id in ipairs(redis.call('ZRANGE', set, 0, -1)) do
    if redis.call('EXISTS', record .. id) == 0 then redis.call('ZREM', set, id) end
  end
end

local function prune_index(name)
  prune(K.index .. name, K.msg)
  drop_empty(name)
end

for sender in each_of(senders) do
  redis.call('DEL', K.rate .. sender, K.commands .. sender, K.forwarded .. sender, K.told .. 'rate_limited:' .. sender, K.told .. 'day_limited:' .. sender)
  for i = -3, 2 do
    local day = whole(math.floor(t / DAY) + i)
    redis.call('DEL', K.told_waits .. day .. ':' .. sender, K.told_month .. day .. ':' .. sender)
    redis.call('HDEL', K.spent .. day, 'tokens:' .. sender, 'reserved:' .. sender)
  end
  prune(busy_key(sender), K.conv)
  prune(waiting_key(sender), K.conv)
  prune_index(sender)
  for _, provider in ipairs({'claude', 'twilio', 'sendgrid'}) do
    if get(K.denied .. provider, 'sender') == sender then redis.call('DEL', K.denied .. provider) end
  end
  if get(K.pause, 'refused') == sender then redis.call('HSET', K.pause, 'refused', '') end
end
for pair in each_of(ways) do
  redis.call('DEL', K.turns .. pair, K.told_elsewhere .. pair)
  prune(K.asked .. pair, K.approval)
  for _, reply in ipairs(redis.call('LRANGE', K.owed .. pair, 0, -1)) do
    if redis.call('EXISTS', reply_key(reply)) == 0 then redis.call('LREM', K.owed .. pair, 0, reply) end
  end
end
redis.call('DEL', K.outgoing .. user)
for _, index in ipairs({user, beside_index(user)}) do
  redis.call('ZREMRANGEBYSCORE', K.index .. index, '-inf', whole(at))
  drop_empty(index)
end
return ''
