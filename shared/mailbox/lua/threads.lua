-- Threads: the conversation that a mail goes on. Each id that a pair's mails had or named leads to the conversation in which it was first
-- seen, as long as texts are kept; their subject leads to the latest, for two weeks. An id is looked up for one pair alone: whoever names
-- one of somebody else's conversation finds nothing.

local TOPIC_KEPT = 1209600000

local function thread_key(pair, name) return P .. 'thread:' .. pair .. ':' .. name end

local function thread_keys(pair, names)
  local keys = {}
  for name in string.gmatch(names, '%S+') do keys[#keys + 1] = thread_key(pair, name) end
  return keys
end

-- The conversation of the first of these names that is known; of the topic's latest mail where `by_topic` says that nothing else is named.
local function find_conversation(pair, names, topic, by_topic)
  for _, conv in ipairs(redis.call('MGET', unpack(thread_keys(pair, names)))) do
    if conv then return conv end
  end
  return by_topic == 1 and redis.call('GET', thread_key(pair, topic))
end

-- These names lead to `conv` from now on, but for those that lead elsewhere; all of them as long as a text that comes now.
local function keep_thread(pair, names, topic, conv, retention)
  if topic ~= '' then redis.call('SET', thread_key(pair, topic), conv, 'PX', TOPIC_KEPT) end
  local keys = thread_keys(pair, names)
  if #keys == 0 then return end
  for i, known in ipairs(redis.call('MGET', unpack(keys))) do redis.call('SET', keys[i], known or conv, 'PX', retention) end
end

-- What `zlib.compress(text, 0)` gives, as `shared.mailbox.wake_queue` does: one stored block (RFC 1951, 3.2.4) and its Adler-32 (RFC 1950).
local function stored_block(text)
  local low, high = 1, 0
  for i = 1, #text do
    low = (low + string.byte(text, i)) % 65521
    high = (high + low) % 65521
  end
  local size = string.char(#text % 256, math.floor(#text / 256))
  local turned = string.char(255 - #text % 256, 255 - math.floor(#text / 256))
  return '\120\1\1' .. size .. turned .. text .. string.char(math.floor(high / 256), high % 256, math.floor(low / 256), low % 256)
end

-- The job that came with the call looks at `found` in place of `conv`: the caller could not know which conversation it would be.
local function wake_instead(conv, found)
  if not (WAKE and ARGV[WAKE]) then return end
  local function renamed(text)
    local from, to = string.find(text, conv, 1, true)
    return from and string.sub(text, 1, from - 1) .. found .. string.sub(text, to + 1) or text
  end
  ARGV[WAKE + 5] = stored_block(renamed(string.sub(ARGV[WAKE + 5], 8, -5)))
  ARGV[WAKE + 6] = renamed(ARGV[WAKE + 6])
end
