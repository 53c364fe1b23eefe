-- outgoing: a message that a program, or the operator, has the Boss write to a person, once. `token` says whose it is, `said` what is said.
-- A known id changes nothing. `key` is the id of the caller's Idempotency-Key, `body` the digest of its request: within a day the same key
-- leads to the first message ("replayed"), or, with another body, nowhere ("key_reused"). Opt-out, `expires` and the token's own bound are
-- judged here; what is `urgent` counts in no bound and waits for no quiet hours (`quiet`). It counts in no bound of the person's.
-- What is refused leaves nothing behind. What waited on disk (`age` > 0) has been promised: refused, it ends as ignored, with its reason, so
-- that its caller finds out. Its person may have been erased meanwhile, or have left (`pair` is "").
-- Answer: {"accepted" or "duplicate", id}, {"replayed", the first id}, {"key_reused"}, {"refused", reason, ms to wait}, {"ignored", reason},
-- {"full"}.
-- uses: people ringing outgoing_messages indexes
-- args: id channel conv sender pair user event said token urgent expires# key body quiet most# kept# mark# age# wake...
local DAY, MOST_A_DAY, LONGEST = 86400000, 20, 2678400000

if redis.call('EXISTS', K.seen .. id) == 1 or redis.call('EXISTS', msg_key(id)) == 1 then return {'duplicate', id} end
local t = now()

local erased = age > 0 and redis.call('ZSCORE', K.erasures, user)
if erased and t - age <= tonumber(erased) then
  redis.call('SET', K.seen .. id, '1', 'PX', mark)
  count('ignored:erased')
  append('ignored', 'msg', id, 'channel', channel, 'reason', 'erased')
  return {'ignored', 'erased'}
end

-- How long until the token may write to this person again, 0 where it may: MOST_A_DAY within a day.
local sent = K.outgoing .. user
local function full_for()
  redis.call('ZREMRANGEBYSCORE', sent, '-inf', whole(t - DAY))
  local n, first = 0, t
  local flat = redis.call('ZRANGE', sent, 0, -1, 'WITHSCORES')
  for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, #token + 1) == token .. ' ' then
      n, first = n + 1, math.min(first, tonumber(flat[i + 1]))
    end
  end
  return n >= MOST_A_DAY and math.max(1, first + DAY - t) or 0
end

local before = key ~= '' and redis.call('HMGET', K.idempotency .. key, 'id', 'body') or {}
if before[1] and age == 0 then return before[2] == body and {'replayed', before[1]} or {'key_reused', ''} end

local reason, wait = '', 0
if before[1] then
  reason = 'key_reused'
elseif pair == '' then
  reason = 'address_removed'
elseif expires <= t or expires > t + LONGEST then
  reason = 'expired'
elseif opted_out(pair) then
  reason = 'opted_out'
elseif urgent ~= '1' then
  wait = full_for()
  reason = wait > 0 and 'token_limited' or ''
end
if reason ~= '' and age == 0 then return {'refused', reason, whole(wait)} end
if redis.call('ZCARD', OPEN) >= most and reason == '' then return {'full', ''} end

redis.call('HSET', msg_key(id), 'v', VERSION, 'id', id, 'conv', conv, 'channel', channel, 'kind', 'outgoing', 'accepted_at', whole(t),
  'active_at', whole(active(t, pair)), 'pair', pair, 'sender', sender, 'user', user, 'token', token, 'expires_at', whole(expires),
  'urgent', urgent, 'state', 'pending')
redis.call('SET', K.seen .. id, '1', 'PX', mark)
redis.call('ZADD', K.recent, whole(t), id)
redis.call('ZREMRANGEBYRANK', K.recent, 0, -10001)
index_message(id, table.concat({user, sender, conv}, ' '), whole(t), t)
if conv ~= '' then redis.call('ZADD', CONVERSATIONS, whole(t), conv) end
if reason ~= '' then
  if before[1] then redis.call('HSET', msg_key(id), 'first', before[1]) end
  Outgoing.refuse(id, reason, kept, t)
  return {'ignored', reason}
end
redis.call('HSET', msg_key(id), 'event', event, 'outgoing', said, 'key', key)
redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', pair, 'sender', sender)
if key ~= '' then
  redis.call('HSET', K.idempotency .. key, 'id', id, 'body', body)
  redis.call('PEXPIRE', K.idempotency .. key, DAY)
end
if urgent ~= '1' then
  redis.call('ZADD', sent, whole(t), token .. ' ' .. id)
  redis.call('PEXPIRE', sent, DAY)
end
append('outgoing_stored', 'conv', conv, 'msg', id, 'channel', channel)
local till = urgent ~= '1' and Outgoing.quiet_until(quiet, t)
if till then Outgoing.hold(id, till, t) else Outgoing.put(id, conv, t) end
return {'accepted', id}
