-- standby: one look of a standby process at who lives, and its own entry in the book that `boss doctor` reads.
-- `shift` is the name under which it works, '' while it does not: a change of it is told in the ledger, once, however often the
-- call is repeated. A process that died without a word leaves the book when another looks. RQ's own records are read here, so that a
-- look is one round trip. Answer: {worker's key, its last heartbeat, ...}.
-- args: name state shift queue keep#
local book, t = K.standby, now()

local function entry(raw)
  return raw and cjson.decode(raw) or {state = '', shift = '', seen = '0', since = whole(t)}
end

local function told(before, after)
  if before == after then return end
  if before ~= '' then append('standby_ended', 'worker', before) end
  if after ~= '' then append('standby_started', 'worker', after) end
end

local function forget_the_dead()
  local all = redis.call('HGETALL', book)
  for i = 1, #all, 2 do
    local other = entry(all[i + 1])
    if tonumber(other.seen) > t then  -- TIME has stepped back
      other.seen = whole(capped(tonumber(other.seen), 0, t, 'standby', 'worker', all[i]))
      redis.call('HSET', book, all[i], cjson.encode(other))
    end
    if all[i] ~= name and t - tonumber(other.seen) > keep then
      redis.call('HDEL', book, all[i])
      told(other.shift, '')
    end
  end
end

local own = entry(redis.call('HGET', book, name))
told(own.shift, shift)
if state == 'gone' then
  redis.call('HDEL', book, name)
elseif own.state ~= state or own.shift ~= shift or math.abs(t - tonumber(own.seen)) > keep / 3 then
  local since = own.state == state and own.since or whole(t)
  redis.call('HSET', book, name, cjson.encode({state = state, shift = shift, since = since, seen = whole(t)}))
  forget_the_dead()
end

local beats = {}
for _, key in ipairs(redis.call('SMEMBERS', 'rq:workers:' .. queue)) do
  beats[#beats + 1] = key
  beats[#beats + 1] = get(key, 'last_heartbeat')
end
return beats
