-- Common to all scripts: key names, the clock, the ledger. Times are integer milliseconds of the server's TIME.
local VERSION = '1'

-- clock: begin
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
-- clock: end

local function conv_key(id) return K.conv .. id end
local function inbox_key(id) return K.inbox .. id end
local function priority_key(id) return K.priority .. id end
local function msg_key(id) return K.msg .. id end
local function turn_key(id) return K.turn .. id end
local function reply_key(id) return K.reply .. id end
local function reply_of(turn) return 'r-' .. string.sub(turn, 3) end
local function turn_of(reply) return 't-' .. string.sub(reply, 3) end
local DUE = K.due
local OPEN = K.open

-- A conversation has two inboxes. What code answers by itself (commands) stands in the second, the priority inbox: it is served under the
-- same lease and before the first, whatever not-before, day's bound, rate or share holds the first. So each has an agenda and a not-before
-- of its own. An older version knows the first alone, and cannot take what stands in the second off its agenda.
local FIRST = {inbox = inbox_key, due = DUE, not_before = 'not_before', wait = 'wait'}
local PRIORITY = {inbox = priority_key, due = K.priority_due, not_before = 'priority_not_before', wait = 'priority_wait'}
local AGENDAS = {PRIORITY.due, DUE}

local function get(key, field) return redis.call('HGET', key, field) or '' end
local function number(key, field) return tonumber(get(key, field)) or 0 end
local function whole(value) return string.format('%.0f', value) end

-- How often each thing has happened, for /metrics: the ledger's lines are trimmed one day, their number is not.
local function count(name) redis.call('HINCRBY', K.counts, name, 1) end

-- One line of the ledger, in the same step as the change that it tells of. Ids and figures only.
local function append(kind, ...)
  count(kind)
  redis.call('XADD', K.ledger, 'MAXLEN', '~', '100000', '*', 'v', VERSION, 'type', kind, ...)
end

-- A stored time lies ahead of now by no more than what it was set to. Further ahead, TIME has stepped back since (a failover to a server
-- whose clock is behind): it counts from now, and the ledger says so.
local function capped(at, most, t, what, ...)
  if at <= t + most then return at end
  append('clock_stepped', 'what', what, 'ms', whole(at - t - most), ...)
  return t + most
end

local function opted_out(pair) return pair ~= '' and redis.call('EXISTS', K.optout .. pair) == 1 end

-- Questions of ours that wait for a person's yes (`approvals`): their keys, and their end. Each is listed under the pair of who asked for it
-- and that of who is asked. Its code is known for a day after its end: it is not given again, and whoever answers late is told so. What it
-- asked about goes with its end.
local Approvals = {KEPT = 86400000, WINDOW = 900000, NUMBERS = K.numbers}
function Approvals.key(id) return K.approval .. id end
function Approvals.of_pair(pair) return K.asked .. pair end
function Approvals.of_user(user) return K.approvals .. user end
function Approvals.code_key(user, code) return K.code .. user .. ':' .. code end

function Approvals.close(id, state, t)
  local key = Approvals.key(id)
  if get(key, 'state') ~= 'pending' then return end
  redis.call('HSET', key, 'state', state, 'ended_at', whole(t))
  redis.call('HDEL', key, 'calls', 'event')
  redis.call('PEXPIRE', key, Approvals.KEPT)
  redis.call('PEXPIRE', Approvals.code_key(get(key, 'approver'), get(key, 'code')), Approvals.KEPT)
  redis.call('ZREM', Approvals.of_pair(get(key, 'pair')), id)
  redis.call('ZREM', Approvals.of_pair(get(key, 'asked_pair')), id)
  local question = msg_key(get(key, 'question'))
  if redis.call('EXISTS', question) == 1 then redis.call('HSET', question, 'withdrawn', 1) end
  append('approval_ended', 'conv', get(key, 'conv'), 'approval', id, 'reason', state)
end

-- What waits of a pair is withdrawn; of one conversation's alone where that is named.
function Approvals.withdraw(pair, conv, t)
  if pair == '' then return end
  for _, id in ipairs(redis.call('ZRANGE', Approvals.of_pair(pair), 0, -1)) do
    if conv == '' or get(Approvals.key(id), 'conv') == conv then Approvals.close(id, 'withdrawn', t) end
  end
end

-- The user's word on a pair, however it was learnt; `by` names the operator who passes it on. Answer: 1 when it is new.
local function opt(pair, out, t, by)
  if pair == '' or out == opted_out(pair) then return 0 end
  if out then redis.call('SET', K.optout .. pair, whole(t)) else redis.call('DEL', K.optout .. pair) end
  if out then Approvals.withdraw(pair, '', t) end
  append(out and 'opted_out' or 'opted_in', 'pair', pair, 'by', by or '')
  return 1
end

-- Files that came with mails. The pieces of one are a hash. `K.files` says of each until when it is kept (ms), how many bytes of room it
-- takes, and whose it is; both are written in one step, and end at the same time. Nothing counts beside them: room is what the entries say.
local function each_file(names) return string.gmatch(names, '%x+') end

local function read_file_entry(text)
  local at, room, user = string.match(text or '', '^(%d+) (%d+) (%S+)$')
  return at and {at = tonumber(at), room = tonumber(room), user = user}
end

local function file_entry(name) return read_file_entry(redis.call('HGET', K.files, name)) end

local function keep_file(name, entry, at, t)
  redis.call('HSET', K.files, name, whole(at) .. ' ' .. whole(entry.room) .. ' ' .. entry.user)
  redis.call('PEXPIRE', K.file .. name, whole(math.max(1, at - t)))
end

local function drop_file(name)
  redis.call('HDEL', K.files, name)
  redis.call('DEL', K.file .. name)
end

local function drop_files(names)
  for name in each_file(names) do drop_file(name) end
end

-- The files of a message are kept for `most` from now, or shorter where they are.
local function shorten_files(names, most, t)
  for name in each_file(names) do
    local entry = file_entry(name)
    if entry and entry.at > t + most then keep_file(name, entry, t + most, t) end
  end
end

-- A pause: of all sending (pair ''), or of one user's, which is kept for each of their pairs.
local function pause_key(pair) return pair == '' and K.pause or K.pause_of .. pair end
local function held(pair) return get(pause_key(pair), 'since') ~= '' end
local function paused(pair) return held('') or (pair ~= '' and held(pair)) end

local function without_pauses(key, t)
  local pause = redis.call('HMGET', key, 'since', 'total')
  local total = tonumber(pause[2] or '') or 0
  if (pause[1] or '') ~= '' then total = total + t - tonumber(pause[1]) end
  return t - total
end

-- The clock by which a pair's messages age: it stands still while sending is paused, for all or for that user. A user's pause is
-- measured by the clock of all (pair ''), so that the time that both cover counts once.
local function active(t, pair)
  local common = without_pauses(pause_key(''), t)
  return pair == '' and common or without_pauses(pause_key(pair), common)
end

local function end_pause(pair, t)
  if not held(pair) then return false end
  local key = pause_key(pair)
  local clock = pair == '' and t or active(t, '')
  redis.call('HSET', key, 'since', '', 'reason', '', 'provider', '', 'probe', '', 'total', whole(number(key, 'total') + math.max(0, clock - number(key, 'since'))))
  return true
end

-- A pause that an alarm made names the provider that refused us, and lets one turn at a time through to try it (see `claim`): `probe`
-- is the token of its lease. A user's own pause holds all the same.
local function probes(token, pair)
  return token ~= '' and get(pause_key(''), 'probe') == token and not (pair ~= '' and held(pair))
end

-- A provider did what it was asked: a 403 before it was that message's own, and a pause for this provider ends if the request was
-- allowed in it, at `since`.
local function provider_took(provider, since, t)
  redis.call('DEL', K.denied .. provider)
  local key = pause_key('')
  if get(key, 'provider') ~= provider or since <= number(key, 'at') then return end
  if end_pause('', t) then append('resumed', 'by', 'probe', 'user', '', 'provider', provider) end
end

-- A wake-up for this conversation is about to be enqueued: the sweep need not add another while the mark lives, which
-- is twice the queue's oldest wait. The first claim attempt clears it.
local function mark_wake(conv, t)
  local wait = tonumber(redis.call('GET', K.wait) or '0') or 0
  redis.call('SET', K.wake .. conv, whole(t), 'PX', whole(math.max(1000, 2 * wait)))
end

-- The wake-up itself: one RQ job, made of what `shared.mailbox.wake_queue.job` gives in ARGV from `at` on, with the records that RQ's own
-- enqueue writes, and `queued_ms`: when it was, by the server's clock. `WAKE` says where a script has one; a caller that enqueues by itself,
-- or wants no job, gives none.
local function enqueue_job(at, t)
  redis.call('SADD', ARGV[at], ARGV[at + 1])
  redis.call('HSET', ARGV[at + 2], 'created_at', ARGV[at + 4], 'enqueued_at', ARGV[at + 4], 'data', ARGV[at + 5], 'description', ARGV[at + 6],
    'origin', ARGV[at + 7], 'timeout', ARGV[at + 8], 'result_ttl', ARGV[at + 9], 'failure_ttl', ARGV[at + 10], 'status', 'queued',
    'success_callback_name', '', 'failure_callback_name', '', 'stopped_callback_name', '', 'started_at', '', 'ended_at', '',
    'last_heartbeat', '', 'worker_name', '', 'group_id', '', 'queued_ms', whole(t))
  redis.call('RPUSH', ARGV[at + 1], ARGV[at + 3])
end

local WAKE
local function enqueue(t)
  if not (WAKE and ARGV[WAKE]) then return end
  enqueue_job(WAKE, t)
  WAKE = nil  -- one id, one place in the queue
end

-- Wake the conversation now.
local function wake(conv, t)
  mark_wake(conv, t)
  enqueue(t)
end

-- Not-before, with the wait that it was set to, which is how far ahead it may lie; at most an hour where an older version set it.
local function wait_until(conv, box, at, t)
  redis.call('HSET', conv_key(conv), box.not_before, whole(at), box.wait, whole(math.max(0, at - t)))
end

local function not_before(conv, box, t)
  local at = number(conv_key(conv), box.not_before)
  local cut = capped(at, tonumber(get(conv_key(conv), box.wait)) or 3600000, t, 'wait', 'conv', conv)
  if cut ~= at then redis.call('HSET', conv_key(conv), box.not_before, whole(cut)) end
  return cut
end


-- What is known of Redis itself (`liveness`), and the latest time that it has shown: behind it TIME has stepped back.
local LOOKED = K.looked
local function note_time(t)
  if number(LOOKED, 'clock') < t then redis.call('HSET', LOOKED, 'clock', whole(t)) end
end

-- Append a message to its conversation. Only into an empty inbox does it set not-before and due, and wake: a message that
-- comes during a lease or a backoff touches nothing, and one that settles is woken by the agenda when its time has come.
local function into_inbox(conv, id, settle, t)
  local length = redis.call('RPUSH', inbox_key(conv), id)
  redis.call('ZADD', OPEN, whole(t), id)
  if length > 1 then return end
  redis.call('PERSIST', conv_key(conv))
  wait_until(conv, FIRST, t + settle, t)
  note_time(t)
  redis.call('ZADD', DUE, whole(settle > 0 and t + settle or t + 1000), conv)
  if settle == 0 then wake(conv, t) end
end

-- Append a message that code answers to the priority inbox; as above, and nothing settles there.
local function into_priority(conv, id, t)
  local length = redis.call('RPUSH', priority_key(conv), id)
  redis.call('ZADD', OPEN, whole(t), id)
  if length > 1 then return end
  redis.call('PERSIST', conv_key(conv))
  wait_until(conv, PRIORITY, t, t)
  note_time(t)
  redis.call('ZADD', PRIORITY.due, whole(t + 1000), conv)
  wake(conv, t)
end

local function out_of_inbox(conv, id)
  if redis.call('LREM', inbox_key(conv), 1, id) == 0 then
    redis.call('LREM', priority_key(conv), 1, id)
    if redis.call('EXISTS', priority_key(conv)) == 0 then redis.call('ZREM', PRIORITY.due, conv) end
  end
  redis.call('ZREM', OPEN, id)
end

-- Turns of one sender at once: `busy` holds the conversations under a lease, `waiting` those that were refused one, the first
-- refused first. A free place goes to the first who waits, by way of the agenda.
local function busy_key(sender) return K.busy .. sender end
local function waiting_key(sender) return K.waiting .. sender end

local function hand_on(sender, t)
  local first
  repeat
    first = redis.call('ZPOPMIN', waiting_key(sender))[1]
  until not first or redis.call('ZSCORE', DUE, first)
  if first then redis.call('ZADD', DUE, whole(t), first) end
end

local function free_place(conv, t)
  local sender = get(conv_key(conv), 'sender')
  if sender ~= '' and redis.call('ZREM', busy_key(sender), conv) == 1 then hand_on(sender, t) end
end

-- The conversations whose lease a worker process holds.
local function held_key(process) return K.held .. process end

-- A lease ends: its process holds the conversation no longer, and its sender's place is free.
local function release_slot(conv, t)
  local process = get(conv_key(conv), 'holder')
  if process ~= '' then
    redis.call('ZREM', held_key(process), conv)
    redis.call('HSET', conv_key(conv), 'holder', '')
  end
  free_place(conv, t)
end

-- The index of what is a person's and in no index of their messages, which a find reads: notices, and questions about what they asked for.
-- An erasure finds it there. An older version has notices of nobody.
local function beside_index(user) return user ~= '' and 'o' .. string.sub(user, 2) or '' end

-- A sentence of ours to the user: a message of its own kind, so that order, opt-out and look-up hold for it too.
local function write_notice(conv, id, code, event, user, t)
  local key, index = conv_key(conv), beside_index(user)
  if index ~= '' then
    redis.call('ZADD', K.index .. index, whole(t), id)
    redis.call('ZADD', K.indexes, 'NX', whole(t + 86400000), index)
  end
  redis.call('HSET', msg_key(id), 'v', VERSION, 'id', id, 'conv', conv, 'channel', get(key, 'channel'), 'kind', 'notice',
    'notice', code, 'event', event, 'state', 'pending', 'accepted_at', whole(t), 'active_at', whole(active(t, get(key, 'pair'))),
    'pair', get(key, 'pair'), 'sender', get(key, 'sender'), 'user', user, 'index', index)
  append('notice', 'conv', conv, 'msg', id, 'code', code)
end

local function append_notice(conv, id, code, event, user, t)
  write_notice(conv, id, code, event, user, t)
  into_inbox(conv, id, 0, t)
end

-- A notice about a message that is not answered, unless one waits in that conversation already.
local function add_notice(conv, of, code, event, user, t)
  local id = 'n-' .. string.sub(of, 3)
  local open = get(conv_key(conv), 'notice')
  local state = open ~= '' and get(msg_key(open), 'state') or ''
  if event == '' or state == 'pending' or state == 'in_turn' or redis.call('EXISTS', msg_key(id)) == 1 then return end
  append_notice(conv, id, code, event, user, t)
  redis.call('HSET', conv_key(conv), 'notice', id)
end
