-- Threads: the conversation that a mail goes on. Each id that a pair's mails had or named leads to the conversation in which it was first
-- seen, as long as texts are kept; their subject leads to the latest, for two weeks. An id is looked up for one pair alone: whoever names
-- one of somebody else's conversation finds nothing.

local TOPIC_KEPT = 1209600000

-- A mail's thread as `ThreadNames.argument` spells it: how long what it names is kept (ms), '1' where the mail may be found by its subject
-- alone, the subject or '-', and its ids, first those by which it is looked up first.
local function read_thread(pair, text)
  local thread, prefix = {keys = {}}, K.thread .. pair .. ':'
  local kept, by_topic, topic, names = string.match(text, '^(%S+) (%S+) (%S+) (.+)$')
  thread.kept, thread.by_topic, thread.topic = kept, by_topic == '1', topic ~= '-' and prefix .. topic
  for name in string.gmatch(names, '%S+') do thread.keys[#thread.keys + 1] = prefix .. name end
  return thread
end

-- The conversation of the first id that is known; the subject's where nothing else is named.
local function find_conversation(thread)
  for _, conv in ipairs(redis.call('MGET', unpack(thread.keys))) do
    if conv then return conv end
  end
  return thread.by_topic and redis.call('GET', thread.topic)
end

-- By which names a conversation is found, by when each ends: an erasure takes them away with it.
local function note_names(conv, names, kept)
  local key, t, named = K.threads .. conv, now(), {}
  for _, name in ipairs(names) do named[#named + 1], named[#named + 2] = whole(t + kept), name end
  redis.call('ZADD', key, 'GT', unpack(named))
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(t))
  if redis.call('PTTL', key) < kept then redis.call('PEXPIRE', key, whole(kept)) end
end

-- What the thread names leads to `conv` from now on, but for ids that lead elsewhere; all of them as long as a text that comes now.
local function keep_thread(thread, conv)
  local names = {}
  if thread.topic then
    redis.call('SET', thread.topic, conv, 'PX', TOPIC_KEPT)
    note_names(conv, {thread.topic}, TOPIC_KEPT)
  end
  for i, known in ipairs(redis.call('MGET', unpack(thread.keys))) do
    redis.call('SET', thread.keys[i], known or conv, 'PX', thread.kept)
    if known and known ~= conv then note_names(known, {thread.keys[i]}, tonumber(thread.kept)) else names[#names + 1] = thread.keys[i] end
  end
  if #names > 0 then note_names(conv, names, tonumber(thread.kept)) end
end

-- The job that came with the call looks at `found` in place of `conv`: the caller could not know which conversation it would be. Its data
-- is what `zlib.compress(text, 0)` gives, as `shared.mailbox.wake_queue` makes it: one stored block (RFC 1951, 3.2.4) and its Adler-32
-- (RFC 1950).
local function wake_instead(conv, found)
  if not (WAKE and ARGV[WAKE]) then return end
  local function renamed(text)
    local from, to = string.find(text, conv, 1, true)
    return from and string.sub(text, 1, from - 1) .. found .. string.sub(text, to + 1) or text
  end
  local text, low, high = renamed(string.sub(ARGV[WAKE + 5], 8, -5)), 1, 0
  for i = 1, #text do
    low = (low + string.byte(text, i)) % 65521
    high = (high + low) % 65521
  end
  local function pair_of_bytes(value) return math.floor(value / 256), value % 256 end
  local above, below = pair_of_bytes(#text)
  local head, sum = string.char(120, 1, 1, below, above, 255 - below, 255 - above), {pair_of_bytes(high)}
  sum[3], sum[4] = pair_of_bytes(low)
  ARGV[WAKE + 5] = head .. text .. string.char(unpack(sum))
  ARGV[WAKE + 6] = renamed(ARGV[WAKE + 6])
end
