-- accept: a message from outside, once.
-- A known id changes nothing ("duplicate"). Opt-out and rate are judged here, after the deduplication; what is not admitted is
-- recorded with its reason and without its text. A bridge message is answered over the bridge and nowhere else: an opt-out, which
-- is from texts to a phone, does not concern it, and the sentence on a rate goes back as the answer. A robot that answers us
-- without saying that it is one shows by what it says and when (see `comes_back`); the third time in a row is not answered: one plain
-- sentence says so, and what repeats is kept and shown later, and not answered until a different message comes or ten minutes passed.
-- Otherwise the event is stored and appended to its conversation's inbox. The conversation becomes due, and is woken at once unless it
-- settles first. A command, which is a whole text that code answers, goes into the priority inbox, counts in no turn's bound and joins no
-- other message; an hour has MOST_COMMANDS of a sender's, for a robot may know the words. It is an ordinary message where our last message
-- was a question that names the word, and where there is nothing that it could refer to (`is_command`). No room ("full"): nothing changes, the sender's provider or our spool keeps it.
-- `answer` is what the message says to a question of ours that waits for a yes, as a word and perhaps its code. It is one where that question
-- was sent to this very person: found by its code, or, for the bare word, where it is the newest thing that was said here and nothing of
-- theirs has come since. Over the bridge it answers what was asked there alone, and a mail must name the code. It comes before Twilio's words
-- (YES is one that opts in), rate and echo, stands in the priority inbox, with a number of its own, and is judged there (`approvals`).
-- `mark` is how long the id is known, `kept` how long the record of what is ignored stays. `via` names the way of a message that its
-- webhook did not bring; `copy` says that it may have been answered before, and its reply will bear the mark `maybe_duplicate`.
-- `user` is the id of the person that it comes from: records outlive the conversation's, and say whose they are.
-- `users` is the version of the registry of people by which it was judged whose it is, or that nobody is known who has its sender's address:
-- under another version nothing changes ("stale"), and it is judged anew. -1 for what was judged when it came.
-- `who` is its sender and its recipient, masked, and `provider_id` its provider's id: of what is not answered no more than that is kept.
-- `automatic` is what a text is by its form, if a phone or a carrier sent it by itself ("reaction", "auto_reply"), and `quoted` the text that
-- it quotes, as `compared` spells it: only where it was said in this conversation the form is believed. Such a text is kept, not answered.
-- `index` names, besides user, sender and conversation, what the message is to be found by (`indexes`).
-- With a `thread` it goes on the conversation that is known for that and its pair (`threads`); `conv` is the one that it begins where none
-- is. All that is judged, written and woken here is of the conversation that was found.
-- `files` are the keys of the files that came with it, which wait for an hour: they are kept for a week from now, or go at once where
-- the message is not answered. A duplicate's stay: they may be those of the first.
-- `forwarding` is of a mail that came by a forwarding address ("" for any other): its own budget in place of all bounds of turns, and its
-- line in a digest where that is used up (`forwarding`).
-- `age` is of what did not come straight from its webhook (0): how long ago it came to the web host, or to its provider, in ms. What was
-- written before its person was erased is not accepted any more.
-- Answer: {outcome, reason}.
-- uses: indexes threads forwarding owed
-- args: id channel kind conv sender pair event mark settle# limit# keyword verdict most# texts# digest hourly# pair_hourly# daily# kept
-- args: via copy user users# flood# who provider_id index thread command automatic quoted files forwarding answer age# wake...
local HOUR, DAY = 3600000, 86400000
local MOST_COMMANDS = 60
local FILES_KEPT = 7 * DAY
local MOST_ECHOES, SILENCE, AT_ONCE, WITHIN_SECONDS = 3, 600000, 2000, 12000
-- How long after it was told once that a bound is reached it is not told again: an hour, or the rest of the day.
local TOLD = {rate_limited = function() return HOUR end, day_limited = function(t) return DAY - t % DAY end}

if redis.call('EXISTS', K.seen .. id) == 1 or redis.call('EXISTS', msg_key(id)) == 1 then return {'duplicate', ''} end
if users >= 0 and users ~= number(K.registry_state, 'version') then return {'stale', ''} end

local t = now()

-- What waited elsewhere since before its person was erased: it is known from now on, and nothing of it is kept.
local erased = age > 0 and redis.call('ZSCORE', K.erasures, user)
if erased and t - age <= tonumber(erased) then
  drop_files(files)
  redis.call('SET', K.seen .. id, '1', 'PX', mark)
  count('ignored:erased')
  append('ignored', 'msg', id, 'channel', channel, 'reason', 'erased', unpack(via ~= '' and {'via', via} or {}))
  return {'ignored', 'erased'}
end

-- What is not admitted costs a record and a line, `flood` times an hour; beyond that it is counted alone, so that strangers fill nothing.
-- The last senders are listed, masked (`who`): a mistyped number in the users file is found that way.
if verdict ~= '' then
  local counted = K.ignored .. whole(math.floor(t / HOUR))
  local n = redis.call('INCR', counted)
  redis.call('PEXPIRE', counted, HOUR)
  if n > flood then
    count('ignored:' .. verdict)
    if n % 1000 == 0 then append('ignored', 'channel', channel, 'reason', verdict, 'n', n, unpack(via ~= '' and {'via', via} or {})) end
    return {'ignored', verdict}
  end
  if who ~= '' then
    redis.call('ZADD', K.strangers, whole(t), channel .. ' ' .. verdict .. ' ' .. who)
    redis.call('ZREMRANGEBYRANK', K.strangers, 0, -201)
  end
end

if thread ~= '' then
  thread = read_thread(pair, thread)
  local found = find_conversation(thread)
  if found and found ~= conv then
    wake_instead(conv, found)
    conv = found
  end
end

local talk, pair_turns, rate = conv_key(conv), K.turns .. pair, K.rate .. sender
local out = kind ~= 'bridge' and opted_out(pair)

-- Whether a message is a command here and now; "more" needs an answer that was cut, "back" a new chat that began within the hour.
local function is_command()
  if command == '' or string.find(' ' .. get(talk, 'asks') .. ' ', ' ' .. command .. ' ', 1, true) then return false end
  if command == 'more' then return get(talk, 'rest') ~= '' and t - number(talk, 'rest_at') <= DAY end
  return command ~= 'back' or t - number(talk, 'new_at') <= HOUR
end

-- The question that the message answers, "" for none.
local function question_answered()
  local code = string.match(answer, '%d*$')
  local id = code ~= '' and redis.call('GET', Approvals.code_key(user, code)) or (code == '' and kind ~= 'mail' and get(talk, 'asked')) or ''
  local key = Approvals.key(id)
  if id == '' or get(key, 'approver') ~= user or number(key, 'first') == 0 then return '' end
  if kind == 'bridge' and (get(key, 'bridge') ~= '1' or get(key, 'asked_conv') ~= conv) then return '' end
  if code == '' and (get(key, 'named') == '1' or (kind ~= 'bridge' and get(key, 'bridge') == '1')) then return '' end
  return id
end

-- A text joins the turn that the inbox's last text will start, unless that is full; anything else starts a turn of its own.
local function starts_turn()
  if redis.call('LLEN', inbox_key(conv)) % texts == 0 then return true end
  local tail = kind == 'text' and redis.call('LINDEX', inbox_key(conv), -1)
  if not tail then return true end
  local key = msg_key(tail)
  return not (get(key, 'state') == 'pending' and get(key, 'kind') == 'text' and number(key, 'errors') < 2 and number(key, 'lost') < 2)
end

-- Turns that began in the present hour or day of the server's clock: a conversation's own, or all of a pair's, for a robot may begin a
-- conversation with each of its mails.

local function begun(key, span, length)
  return get(key, span) == whole(math.floor(t / length)) and number(key, span .. '_turns') or 0
end

local function count_turn(key, span, length)
  redis.call('HSET', key, span .. '_turns', begun(key, span, length) + 1, span, whole(math.floor(t / length)))
end

-- Why a turn may not begin now, '' where it may.
local function over_rate()
  if begun(pair_turns, 'day', DAY) >= daily then return kind == 'bridge' and 'rate_limited' or 'day_limited' end
  local oldest = redis.call('LINDEX', rate, limit - 1)
  if oldest and tonumber(oldest) > t - HOUR then return 'rate_limited' end
  if begun(talk, 'hour', HOUR) >= hourly or begun(pair_turns, 'hour', HOUR) >= pair_hourly then return 'rate_limited' end
  return ''
end

-- Whether a message shows that nobody reads our answers: it says what we said; or the words that it said before come back at once after
-- our answer; or both sides say within seconds what they said before. Who repeats words that we have not answered is impatient.
local function comes_back()
  local since = t - number(talk, 'said_at')
  if digest == get(talk, 'said') then return since <= SILENCE end
  if digest ~= get(talk, 'heard') or since < 0 then return false end  -- TIME has stepped back: nothing is known of seconds
  return since <= AT_ONCE or (since <= WITHIN_SECONDS and get(talk, 'said') == get(talk, 'said_before'))
end

-- The row of messages that came back, this one with it, and whether it is the one at which silence begins.
local function echoes()
  local row, silent_since = number(talk, 'echoes'), number(talk, 'silent_since')
  if digest == '' then return row, false end
  local same = digest == get(talk, 'heard') or digest == get(talk, 'said')
  if silent_since > 0 then
    if same and t < silent_since + SILENCE then return row, false end
    return 0, false
  end
  if same and number(talk, 'said_at') < number(talk, 'heard_at') then return row, false end
  if not comes_back() then return 0, false end
  return row + 1, row + 1 == MOST_ECHOES
end

-- Whether a text that was sent in this conversation, either way, says what is quoted, or begins so where a phone cut it. What is under way
-- stands in no history yet: a phone may react before the provider's answer is written down.
local PROOF, LATELY = 20, 40
local function compared(text) return (string.lower((string.gsub(text, '[%z\1-\47\58-\64\91-\96\123-\127]', '')))) end

local function said_here()
  if quoted == '' then return true end
  local entries = redis.call('LRANGE', K.history .. conv, -LATELY, -1)
  entries[#entries + 1] = 'r:' .. reply_of(get(talk, 'turn'))
  for _, waiting in ipairs(redis.call('LRANGE', inbox_key(conv), -LATELY, -1)) do entries[#entries + 1] = 'm:' .. waiting end
  for _, entry in ipairs(entries) do
    local name = string.sub(entry, 3)
    local record = string.sub(entry, 1, 1) == 'r' and get(reply_key(name), 'command') or get(msg_key(name), 'event')
    local readable, said = pcall(cjson.decode, record)
    local words = readable and type(said) == 'table' and type(said.message) == 'string' and compared(said.message) or ''
    if words == quoted or (#quoted >= PROOF and string.find(words, quoted, 1, true)) then return true end
  end
  return false
end

local echoed, falls_silent = echoes()
local way = via ~= '' and {'via', via} or {}
if copy == '1' then way[#way + 1], way[#way + 2] = 'maybe_duplicate', '1' end

local forwarded = forwarding ~= '' and cjson.decode(forwarding)
if forwarded then way[#way + 1], way[#way + 2] = 'forwarding', '1' end
local asked = (answer ~= '' and verdict == '' and not out) and question_answered() or ''
local by_code, commands, counted = asked ~= '' or is_command(), K.commands .. sender, false
if verdict == '' then
  if keyword == 'stop' then
    verdict = 'opt_out'
  elseif asked ~= '' and get(Approvals.key(asked), 'state') == 'pending' then
    verdict = ''  -- before START's words, rate and echo
  elseif keyword == 'start' or (keyword == 'yes' and out) then
    verdict = 'opt_in'
  elseif out then
    verdict = 'opted_out'
  elseif automatic == 'reaction' and said_here() then
    verdict = 'reaction'
  elseif automatic == 'auto_reply' then
    verdict = 'auto_reply'
  elseif forwarded then
    verdict = within_budget(sender, forwarded, t) and '' or 'forwarding_limited'
  elseif echoed >= MOST_ECHOES then
    verdict = 'echo'
  elseif by_code then
    verdict = (tonumber(redis.call('GET', commands) or '0') or 0) >= MOST_COMMANDS and 'rate_limited' or ''
  elseif starts_turn() then
    counted = true
    verdict = over_rate()
  end
end

local full = redis.call('ZCARD', OPEN) >= most
if full and verdict == '' then return {'full', ''} end

local keeps_text = true
if verdict == 'forwarding_limited' then
  local n
  conv, n, keeps_text = withhold(forwarded, channel, pair, sender, user, #event, t)
  if n > MOST_NAMED then
    drop_files(files)
    count('ignored:' .. verdict)
    if n % 1000 == 0 then append('ignored', 'conv', conv, 'channel', channel, 'reason', verdict, 'n', n, unpack(way)) end
    return {'ignored', verdict}
  end
end

redis.call('HSET', msg_key(id), 'v', VERSION, 'id', id, 'conv', conv, 'channel', channel, 'kind', kind, 'accepted_at', whole(t), 'active_at', whole(active(t, pair)),
  'pair', pair, 'sender', sender, 'user', user)
if index ~= '' then redis.call('HSET', msg_key(id), 'index', index) end
index_message(id, table.concat({user, sender, conv, index}, ' '), whole(t), t)
if conv ~= '' then redis.call('ZADD', CONVERSATIONS, whole(t), conv) end
redis.call('SET', K.seen .. id, '1', 'PX', mark)
redis.call('ZADD', K.recent, whole(t), id)
redis.call('ZREMRANGEBYRANK', K.recent, 0, -10001)
if digest ~= '' and (verdict == '' or verdict == 'echo') then
  local silent = verdict == 'echo' and (falls_silent and whole(t) or get(talk, 'silent_since')) or 0
  redis.call('HSET', talk, 'heard', digest, 'heard_at', whole(t), 'echoes', echoed, 'silent_since', silent)
end

-- A bare word is about a question only as long as nothing else of the person's came.
if conv ~= '' and asked ~= get(talk, 'asked') and (verdict == '' or verdict == 'echo' or TOLD[verdict]) then redis.call('HSET', talk, 'asked', '') end

local function tell(code)
  redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', pair, 'sender', sender)
  add_notice(conv, id, code, event, user, t)
end

-- What a user wrote is not lost because it is not answered: it is shown when the conversation goes on. As many ids as `remember` keeps.
local function keep_unanswered()
  local history = K.history .. conv
  redis.call('HSET', msg_key(id), 'event', event)
  redis.call('RPUSH', history, 'm:' .. id)
  redis.call('LTRIM', history, -1000, -1)
  if redis.call('PTTL', history) < 0 then redis.call('PEXPIRE', history, kept) end
  if thread ~= '' then keep_thread(thread, conv) end
end

if verdict ~= '' then
  drop_files(files)
  count('ignored:' .. verdict)
  redis.call('HSET', msg_key(id), 'state', 'ignored', 'reason', verdict, 'who', who, 'provider_id', provider_id)
  redis.call('PEXPIRE', msg_key(id), kept)
  append('ignored', 'conv', conv, 'msg', id, 'channel', channel, 'reason', verdict, unpack(way))
  if verdict == 'opt_out' then
    opt(pair, true, t)
  elseif verdict == 'opt_in' then
    if opt(pair, false, t) == 1 then tell_owed(pair, t) end
  elseif verdict == 'reaction' or verdict == 'auto_reply' or (verdict == 'forwarding_limited' and keeps_text) then
    keep_unanswered()
  elseif verdict == 'echo' then
    keep_unanswered()
    if falls_silent then tell('echo') end
  elseif TOLD[verdict] and kind ~= 'bridge' and not full
    and redis.call('SET', K.told .. verdict .. ':' .. sender, '1', 'NX', 'PX', whole(TOLD[verdict](t))) then
    tell(verdict)
  end
  return {'ignored', verdict}
end

redis.call('HSET', msg_key(id), 'state', 'pending', 'event', event)
if thread ~= '' then keep_thread(thread, conv) end
if files ~= '' then redis.call('HSET', msg_key(id), 'files', files) end
for name in each_file(files) do
  local entry = file_entry(name)
  if entry and entry.at > t then keep_file(name, entry, t + FILES_KEPT, t) end
end
if copy == '1' then redis.call('HSET', msg_key(id), 'maybe_duplicate', 1) end
redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', pair, 'sender', sender, unpack(by_code and {} or {'rest', ''}))
if by_code and redis.call('INCR', commands) == 1 then redis.call('PEXPIRE', commands, HOUR) end
if asked ~= '' then
  local key = Approvals.key(asked)
  local late = t > capped(number(key, 'until'), Approvals.WINDOW, t, 'approval', 'approval', asked)
  redis.call('HSET', msg_key(id), 'answer', answer, 'approval', asked, 'number', redis.call('INCR', Approvals.NUMBERS), 'late', late and 1 or 0)
  way[#way + 1], way[#way + 2] = 'approval', asked
elseif by_code then
  way[#way + 1], way[#way + 2] = 'command', command
  redis.call('HSET', msg_key(id), 'command', command, 'rest', command == 'more' and get(talk, 'rest') or '')
  if command == 'new' then redis.call('HSET', talk, 'new_at', whole(t)) end
end
if forwarded then count_in_budget(sender, forwarded, t) end
if counted then
  redis.call('LPUSH', rate, whole(t))
  redis.call('LTRIM', rate, 0, limit - 1)
  redis.call('PEXPIRE', rate, HOUR)
  count_turn(talk, 'hour', HOUR)
  count_turn(pair_turns, 'hour', HOUR)
  count_turn(pair_turns, 'day', DAY)
  redis.call('PEXPIRE', pair_turns, DAY)
end
if by_code then into_priority(conv, id, t) else into_inbox(conv, id, settle, t) end
append(channel .. '_received', 'conv', conv, 'msg', id, 'channel', channel, unpack(way))
return {'accepted', ''}
