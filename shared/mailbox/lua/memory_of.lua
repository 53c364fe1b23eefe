-- memory_of: what a question shows of a person beside its own conversation. Their facts: the pinned ones first, then the newest, in `most`
-- bytes of their texts. And the last messages and answers of their other conversations than `conv`, newest first, as far as they are younger
-- than `oldest`, and some more than `most_said` bytes of records at most; none of another user's, nor of before a new chat.
-- And the newest of their questions that still wait for a yes.
-- Answer: {how many facts there are, those shown as JSON, of each record its conversation, its kind ("m" or "r") and its fields, and of each
-- question its calls as JSON and until when it waits, 0 before it was sent}.
-- uses: people effects facts
-- args: person most# conv most_said# oldest#
local MOST_TALKS, MOST_ENTRIES, MOST_QUESTIONS = 6, 8, 5
local facts, shown, said, bytes = facts_of(person), {}, {}, 0
for _, pinned in ipairs({true, false}) do
  for _, fact in ipairs(facts) do
    bytes = bytes + (fact.pinned == pinned and #fact.text or 0)
    if fact.pinned == pinned and bytes <= most then shown[#shown + 1] = cjson.encode(fact) end
  end
end

local user, since, left = get(person_key(person), 'user'), now() - oldest, most_said

local function read_talk(other)
  local entries = redis.call('LRANGE', K.history .. other, -MOST_ENTRIES, -1)
  for i = #entries, 1, -1 do
    local kind, id = string.sub(entries[i], 1, 1), string.sub(entries[i], 3)
    if left <= 0 or (kind == 'b' and id == get(conv_key(other), 'begins')) then return end
    local key = kind == 'm' and msg_key(id) or reply_key(id)
    if kind ~= 'b' and get(key, 'user') == user and number(key, kind == 'm' and 'accepted_at' or 'stored_at') >= since then
      local flat = redis.call('HGETALL', key)
      for j = 1, #flat do left = left - #flat[j] end
      said[#said + 1] = {other, kind, flat}
    end
  end
end

if most_said > 0 and user ~= '' then
  for _, other in ipairs(redis.call('ZRANGE', talks_key(person), '+inf', whole(since), 'BYSCORE', 'REV', 'LIMIT', 0, MOST_TALKS)) do
    if other ~= conv then read_talk(other) end
  end
end

local waiting = {}
for _, id in ipairs(redis.call('ZRANGE', Approvals.of_user(user), 0, MOST_QUESTIONS - 1, 'REV')) do
  local key = Approvals.key(id)
  local ends = number(key, 'until')
  if get(key, 'state') == 'pending' and user == get(key, 'user') and (ends == 0 or now() <= ends) then
    waiting[#waiting + 1] = {get(key, 'calls'), whole(ends)}
  end
end
return {#facts, shown, said, waiting}
