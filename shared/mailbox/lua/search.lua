-- search: one look through a person's messages, newest first, for those that say certain words; bounded, for Redis serves nobody else
-- meanwhile. Where to look is the index of the person's messages, or that of one conversation (`conv`); whatever it names, a message of
-- another user is passed over, and so are commands, and the turn that asks (`turn`). `words` are the words as they may stand in a record's
-- JSON (`raw`) and in its text (`text`), each in several spellings; without any, every message is found. What a message says are its own
-- text, what was read in its files, and the answer to it. Only those are found that say `least` of the words.
-- Answer: {where the next look begins, -1 where nothing is left, how many were looked through, and of each found its id and how many of the
-- words it says}.
-- uses: people indexes
-- args: person epoch conv turn since# till# offset# least# words
local LOOKED_AT_ONCE, MOST_BYTES = 200, 300000
local FIELDS = {'subject', 'message', 'body', 'rest', 'author'}
local user, wanted = get(person_key(person), 'user'), cjson.decode(words)
if user == '' or epoch_of(person) ~= epoch then return {-1, 0} end

local function stands_in(spellings, text)
  for _, spelling in ipairs(spellings) do
    if string.find(text, spelling, 1, true) then return true end
  end
  return false
end

-- The words of a record's JSON, without the names and ids that stand in it, too. What cannot be read says nothing.
local function text_of(json)
  local readable, value = pcall(cjson.decode, json)
  if not readable or type(value) ~= 'table' then return '' end
  local parts = {}
  for _, field in ipairs(FIELDS) do
    if type(value[field]) == 'string' then parts[#parts + 1] = value[field] end
  end
  return string.lower(table.concat(parts, '\n'))
end

-- How many of the words these records say, each a JSON text or an array of them; 0 where that is fewer than `least`. JSON is read only where
-- enough of them stand in it at all.
local function said_by(records)
  local raw, maybe, n = string.lower(table.concat(records, '\n')), {}, 0
  for _, word in ipairs(wanted) do
    if stands_in(word.raw, raw) then maybe[#maybe + 1] = word end
  end
  if #maybe < math.max(least, 1) then return 0 end
  local read = string.lower(records[3])
  local texts = table.concat({text_of(records[1]), text_of(records[2]), read}, '\n')
  for _, word in ipairs(maybe) do
    if stands_in(word.text, texts) or stands_in(word.raw, read) then n = n + 1 end
  end
  return n >= least and n or 0
end

local answer, looked, bytes, more = {-1, 0}, 0, 0, false
local ids = redis.call('ZRANGE', index_key(conv ~= '' and conv or user), whole(till), whole(since), 'BYSCORE', 'REV', 'LIMIT', offset, LOOKED_AT_ONCE)
for _, id in ipairs(ids) do
  if bytes > MOST_BYTES then
    more = true
    break
  end
  looked = looked + 1
  local found = redis.call('HMGET', msg_key(id), 'user', 'event', 'read', 'turn', 'command', 'kind')
  local whose, event, its = found[1] or '', found[2] or '', found[4] or ''
  if whose == user and event ~= '' and (found[5] or '') == '' and (its == '' or its ~= turn) then
    local answered = its ~= '' and get(reply_key(reply_of(its)), 'command') or ''
    local records = {event, answered, found[3] or ''}
    local n = said_by(records)
    bytes = bytes + #event + #answered + #records[3]
    if n > 0 or #wanted == 0 then answer[#answer + 1], answer[#answer + 2] = id, n end
  end
end
answer[2] = looked
if more or #ids == LOOKED_AT_ONCE then answer[1] = offset + looked end
return answer
