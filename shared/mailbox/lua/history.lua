-- The history of a conversation: what its next question shows of it. The list `history` holds ids, oldest first: `m:` a message, `r:` a
-- reply, `b:` where a new chat began. Where the history begins is said by the record of the chat's beginning, which also holds the summary
-- of what stands before: `from` names the list's entry with which it begins ("" for the chat's first), `version` rises with every change.
-- A chat that was left for a new one keeps its record, for it can be taken up again (`store_reply`): there are two places for records.

local History = {summaries = K.summaries, piece = 100, kept = 1000}  -- `kept`: entries of a list (`remember`)
function History.list(conv) return K.history .. conv end
function History.places(conv) return {K.summary .. conv, K.summary .. conv .. ':other'} end

-- The key of the present chat's record; nil where it has none.
function History.record(conv)
  local chat = get(conv_key(conv), 'begins')
  for _, key in ipairs(History.places(conv)) do
    if get(key, 'v') ~= '' and get(key, 'chat') == chat then return key end
  end
end

-- What the record says for this user: a number may have changed hands, and what another user said is not theirs.
function History.beginning(conv, user)
  local key = History.record(conv)
  if not key or (user ~= '' and get(key, 'user') ~= user) then return {} end
  local flat = redis.call('HGETALL', key)
  flat[#flat + 1], flat[#flat + 2] = 'queued', redis.call('ZSCORE', History.summaries, conv) or ''
  return flat
end

function History.value_of(flat, field)
  for i = 1, #flat, 2 do
    if flat[i] == field then return flat[i + 1] end
  end
  return ''
end

-- What was said before, newest first, back to where the history begins, or until `most` bytes of it are found: no more of a long
-- conversation is read. What another user said, or was told, is left out. `texts`: how many bytes of it are events, commands, what was read
-- in files and the summary, which hold the texts. `whole` is 1 where it was read to its beginning. The list of a long conversation has lost
-- its oldest entries: what it begins with then is no chat's first.
function History.said_before(conv, user, most)
  local list, beginning = History.list(conv), History.beginning(conv, user)
  local noted = #History.value_of(beginning, 'text')
  local said = {lines = {}, texts = noted > 0 and noted + 500 or 0, whole = 0, beginning = beginning}  -- 500: our notes around a summary
  local begins, from = get(conv_key(conv), 'begins'), History.value_of(beginning, 'from')
  local place, bytes = redis.call('LLEN', list), 0
  local whole_list = place < History.kept
  while place > 0 do
    local first = math.max(0, place - History.piece)
    local entries = redis.call('LRANGE', list, first, place - 1)
    for i = #entries, 1, -1 do
      local kind, id = string.sub(entries[i], 1, 1), string.sub(entries[i], 3)
      if kind == 'b' and id == begins then
        said.whole = from == '' and 1 or 0
        return said
      end
      local flat = kind == 'b' and {} or redis.call('HGETALL', kind == 'm' and msg_key(id) or reply_key(id))
      local whose = History.value_of(flat, 'user')
      if #flat > 0 and (whose == user or whose == '' or user == '') then
        said.lines[#said.lines + 1] = {kind, flat}
        for j = 2, #flat, 2 do
          bytes = bytes + #flat[j]
          if flat[j - 1] == 'event' or flat[j - 1] == 'command' or flat[j - 1] == 'read' then said.texts = said.texts + #flat[j] end
        end
      end
      if entries[i] == from then
        said.whole = 1
        return said
      end
      if bytes > most then return said end
    end
    place = first
  end
  said.whole = from == '' and whole_list and 1 or 0
  return said
end

-- The record of the present chat, made where it has none: in the place of the one that cannot be taken up again, or of another user's.
function History.open(conv, user)
  local key = History.record(conv)
  if key and get(key, 'user') ~= user then redis.call('DEL', key) end
  if key and get(key, 'v') ~= '' then return key end
  for _, place in ipairs(History.places(conv)) do
    if not key and (get(place, 'v') == '' or get(place, 'chat') ~= get(conv_key(conv), 'begins_before')) then key = place end
  end
  redis.call('DEL', key)
  redis.call('HSET', key, 'v', VERSION, 'chat', get(conv_key(conv), 'begins'), 'user', user, 'version', 0, 'from', '')
  return key
end

-- Conversations whose summaries are to be made now, at most `most`: each is this caller's for `hold` ms, then anybody's again, since the caller
-- may die. One in which something was said within `quiet`, or is said now, waits for its end, but not for ever: its next question would begin
-- elsewhere, and no cache would hold it. A score further ahead than any is set was set before TIME stepped back.
History.longest, History.newest = 21600000, 10
function History.summaries_to_make(most, hold, quiet, t)
  local found = {}
  if most <= 0 then return found end
  for _, conv in ipairs(redis.call('ZRANGEBYSCORE', History.summaries, '(' .. whole(t + History.longest), '+inf', 'LIMIT', 0, 20)) do
    redis.call('ZADD', History.summaries, whole(t), conv)
  end
  for _, conv in ipairs(redis.call('ZRANGEBYSCORE', History.summaries, '-inf', whole(t), 'LIMIT', 0, most)) do
    local record = History.record(conv)
    local last = tonumber(redis.call('ZSCORE', K.conversations, conv)) or 0
    local busy = get(conv_key(conv), 'token') ~= '' or (last <= t and last + quiet > t)
    if not record then
      redis.call('ZREM', History.summaries, conv)
    elseif busy and t < number(record, 'wanted') + 6 * quiet then
      redis.call('ZADD', History.summaries, whole(last + quiet > t and last <= t and last + quiet or t + quiet), conv)
    else
      redis.call('ZADD', History.summaries, whole(t + hold), conv)
      found[#found + 1] = conv
    end
  end
  return found
end

-- The entries of the present chat that are in no summary, oldest first, and how many of them are older than the newest ten exchanges: an
-- exchange is a reply with what it answers. Of a list that has lost its beginning, all that is left.
function History.unsummarised(conv, record)
  local chat, upto = get(record, 'chat'), get(record, 'upto')
  local entries, first = redis.call('LRANGE', History.list(conv), 0, -1), 1
  for i, entry in ipairs(entries) do
    if entry == upto then first = i elseif chat ~= '' and entry == 'b:' .. chat then first = i + 1 end
  end
  local found, replies, older = {}, 0, 0
  for i = first, #entries do found[#found + 1] = entries[i] end
  for i = #found, 1, -1 do
    if string.sub(found[i], 1, 1) == 'r' then
      if replies == History.newest then
        older = i
        break
      end
      replies = replies + 1
    end
  end
  return found, older
end

-- Where in the list an entry stands; 0 where it does not.
function History.place_of(conv, entry)
  for i, each in ipairs(redis.call('LRANGE', History.list(conv), 0, -1)) do
    if each == entry then return i end
  end
  return 0
end
