-- Which worker processes live, and what becomes of a lease whose holder does not. Each process gives a sign of life about once a second
-- (`heartbeat`), by one entry for all its conversations: its time and for how long it counts. A lease names the process that holds it;
-- one that names none, an older version's, goes by its end alone.
-- A silence proves nothing unless Redis itself was there: every look notes its time, and after a gap of more than half a life between two
-- looks (a stall, a restart, a failover) nobody is called dead until two lives later.

local PROCESSES = K.processes
local ENDED = 'ended'  -- the holder of a lease whose process has ended for certain: its own host says so
local CLOCK_SLACK = 1000
local looks = false  -- who does not look calls nobody dead

-- TIME went back: what was to be looked at later still is, by as much less.
local function bring_forward(back, t)
  for _, agenda in ipairs(AGENDAS) do
    local later = redis.call('ZRANGEBYSCORE', agenda, '(' .. whole(t), '+inf', 'WITHSCORES')
    for i = 1, #later, 2 do redis.call('ZADD', agenda, whole(math.max(t, tonumber(later[i + 1]) - back)), later[i]) end
  end
  append('clock_stepped', 'what', 'agenda', 'ms', whole(back))
end

-- Note this look. `life` is the caller's; 0 for one that does not look.
local function look(t, life)
  if life <= 0 then return end
  looks = true
  local last, trusted = number(LOOKED, 'at'), number(LOOKED, 'trusted')
  local back = math.max(last, number(LOOKED, 'clock')) - t
  if back > CLOCK_SLACK then bring_forward(back, t) end
  if t - last > life / 2 then
    redis.call('HSET', LOOKED, 'trusted', whole(t + 2 * life), 'gap', whole(last))
  elseif trusted > t + 2 * life then
    redis.call('HSET', LOOKED, 'trusted', whole(t + 2 * life))
  end
  redis.call('HSET', LOOKED, 'at', whole(t), 'clock', whole(t))
end

-- Another server, or the same one started anew: a gap that its clock need not show, since it may be behind the last one's.
local function know_server(t, life)
  local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
  local before = get(LOOKED, 'server')
  if before == server then return end
  redis.call('HSET', LOOKED, 'server', server)
  if before ~= '' then redis.call('HSET', LOOKED, 'trusted', whole(t + 2 * life), 'gap', whole(t)) end
end

local function give_sign(process, life, t) redis.call('HSET', PROCESSES, process, whole(t) .. ' ' .. whole(life)) end

-- Why a process holds nothing any more: "ended", "silent", or '' while it may live.
local function death_of(process, t)
  if process == '' then return '' end
  if process == ENDED then return 'ended' end
  local at, life = string.match(redis.call('HGET', PROCESSES, process) or '', '^(%d+) (%d+)$')
  if at then
    local given = capped(tonumber(at), 0, t, 'sign_of_life', 'process', process)
    if given ~= tonumber(at) then give_sign(process, life, given) end
    if given + tonumber(life) > t then return '' end
  end
  return (not looks or t < number(LOOKED, 'trusted')) and '' or 'silent'
end

-- Why a conversation's lease is over: "ended" or "silent" (its holder's process), "expired", or '' while it lives; and until when it does.
-- A lease that ended in a gap, when nobody could renew it, lives until a living holder has had the time to.
local function lease_over(conv, t, lease)
  local key = conv_key(conv)
  local process, ends = get(key, 'holder'), number(key, 'lease_end')
  local lease_end = capped(ends, lease, t, 'lease', 'conv', conv)
  if lease_end ~= ends then redis.call('HSET', key, 'lease_end', whole(lease_end)) end
  local cause = death_of(process, t)
  if cause ~= '' then return cause, t end
  local renewed = number(LOOKED, 'trusted') + lease / 2
  if process ~= '' and lease_end <= t and lease_end >= number(LOOKED, 'gap') and renewed > t then return '', renewed end
  return lease_end > t and '' or 'expired', lease_end
end

-- What a dead process held is due now, and its senders' places are free; the next claim judges and counts. At most `most` at a time.
-- `holder` is the name that stands in the leases from now on. Answer: how many there were.
local function let_go(process, holder, most, t)
  local held = redis.call('ZPOPMIN', held_key(process), most)
  for i = 1, #held, 2 do
    local conv = held[i]
    if get(conv_key(conv), 'holder') == process then
      redis.call('HSET', conv_key(conv), 'holder', holder)
      for _, agenda in ipairs(AGENDAS) do
        local score = redis.call('ZSCORE', agenda, conv)
        if score and tonumber(score) > t then redis.call('ZADD', agenda, whole(t), conv) end
      end
      free_place(conv, t)
    end
  end
  if #held < 2 * most then redis.call('HDEL', PROCESSES, process) end
  return #held / 2
end

-- The leases of all processes that are silent, some of each at a time.
local function let_go_of_the_silent(t)
  local all = redis.call('HGETALL', PROCESSES)
  for i = 1, #all, 2 do
    local process = all[i]
    if death_of(process, t) ~= '' then
      local n = let_go(process, process, 100, t)
      append('process_silent', 'process', process, 'conversations', whole(n))
    end
  end
end

-- A message's last try is made without another message's beside it: what dies then has died alone with every suspect of its like. The
-- first to come has the place while its lease lives. `last`: from how many lost leases on a try is the last.

local function may_try(conv, token, messages, last, t, lease)
  local lost = 0
  for _, id in ipairs(messages) do lost = math.max(lost, number(msg_key(id), 'lost')) end
  if lost < last then return true end
  local other, holder = get(K.alone, 'conv'), get(K.alone, 'token')
  if other ~= conv and holder ~= '' and get(conv_key(other), 'token') == holder and lease_over(other, t, lease) == '' then return false end
  redis.call('HSET', K.alone, 'conv', conv, 'token', token)
  return true
end

-- Messages whose lost lease was counted because a process was silent: taken back when it turns out to live.
local function doubt_key(process) return K.doubted .. process end

local function doubt(process, id)
  redis.call('SADD', doubt_key(process), id)
  redis.call('HSET', msg_key(id), 'doubted_by', process)
  redis.call('PEXPIRE', doubt_key(process), 86400000)
end

local function take_back(process)
  local n = 0
  for _, id in ipairs(redis.call('SMEMBERS', doubt_key(process))) do
    local state = get(msg_key(id), 'state')
    if (state == 'pending' or state == 'in_turn') and number(msg_key(id), 'lost') > 0 then
      redis.call('HINCRBY', msg_key(id), 'lost', -1)
      n = n + 1
    end
  end
  if redis.call('DEL', doubt_key(process)) == 1 then append('lost_leases_taken_back', 'process', process, 'messages', whole(n)) end
end
