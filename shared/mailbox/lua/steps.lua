-- The steps of a turn: what they are stored under, and whether the turn may go on.

-- Why nothing further may begin, in the order in which `sending` judges; "" where it may.
local function stopped(conv, token, turn, person, epoch)
  local key, pair = conv_key(conv), get(conv_key(conv), 'pair')
  local first = turn_messages(turn)[1] or ''
  if person ~= '' and epoch_of(person) ~= epoch then return 'erased' end
  if opted_out(pair) and get(msg_key(first), 'kind') ~= 'bridge' then return 'opted_out' end
  if paused(pair) and not probes(token, pair) then return 'paused' end
  return ''
end

-- Whether the caller works on this turn, which has no reply yet, and nobody else has answered it.
local function refused_step(conv, token, turn)
  local key = conv_key(conv)
  if get(key, 'token') ~= token or get(key, 'turn') ~= turn or redis.call('EXISTS', reply_key(reply_of(turn))) == 1 then return 'lost' end
  for _, id in ipairs(turn_messages(turn)) do
    if get(msg_key(id), 'state') == 'handed_over' then return 'handed_over' end
  end
  return ''
end

-- Store an entry under its name, which is new; `figures`, with the time, stay in the turn's record when the entry goes.
local function store_step(conv, turn, name, entry, figures)
  redis.call('HSET', steps_key(turn), name, entry)
  local timed = string.sub(figures, 1, -2) .. (figures == '{}' and '' or ',') .. '"at":' .. whole(now()) .. '}'
  redis.call('HSET', turn_key(turn), 'step:' .. name, timed)
  redis.call('HSET', conv_key(conv), 'bound', turn)
end

-- Whether something waits that is served before the first inbox: the turn steps aside before its next question.
local function priority_waits(conv, t)
  return redis.call('EXISTS', priority_key(conv)) == 1 and not_before(conv, PRIORITY, t) <= t and '1' or ''
end
