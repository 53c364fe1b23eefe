-- Facts: what a person asked us to remember, kept until they ask to forget it. A hash of each person's own, so that nobody's id leads to
-- anybody else's: `next` is the number of the newest, each other field a fact as JSON. A number is never given again.
local MAX_FACTS, MAX_FACT, MAX_SHOWN = 200, 500, 16000

-- How many characters a text in UTF-8 has.
local function characters(text) return select(2, string.gsub(text, '[^\128-\191]', '')) end

-- A person's facts, the newest first.
local function facts_of(person)
  local flat, facts = redis.call('HGETALL', facts_key(person)), {}
  for i = 1, #flat, 2 do
    if flat[i] ~= 'next' then facts[#facts + 1] = cjson.decode(flat[i + 1]) end
  end
  table.sort(facts, function(a, b) return tonumber(string.sub(a.id, 2)) > tonumber(string.sub(b.id, 2)) end)
  return facts
end

local function fact_of(person, id)
  local text = id ~= 'next' and redis.call('HGET', facts_key(person), id)
  return text and cjson.decode(text)
end

local function store_fact(person, fact) redis.call('HSET', facts_key(person), fact.id, cjson.encode(fact)) end

EFFECTS.remember = function(context, args)
  local length, facts = characters(args.text), facts_of(context.person)
  if length > MAX_FACT then return {ok = false, reason = 'too_long', most = MAX_FACT, length = length} end
  for _, fact in ipairs(facts) do
    if fact.text == args.text then return {ok = true, already = true, fact = fact, count = #facts} end
  end
  if #facts >= MAX_FACTS then return {ok = false, reason = 'too_many', most = MAX_FACTS} end
  local number = redis.call('HINCRBY', facts_key(context.person), 'next', 1)
  local fact = {
    id = 'f' .. number, text = args.text, at = context.t, channel = context.channel, conv = context.conv, marked = context.marked, pinned = false,
  }
  store_fact(context.person, fact)
  return {ok = true, fact = fact, count = #facts + 1}
end

-- All of these or none: one that is not there says that the model looked at an older list.
EFFECTS.forget = function(context, args)
  local forgotten = {}
  for _, id in ipairs(args.ids) do
    local fact = fact_of(context.person, id)
    if not fact then return {ok = false, reason = 'unknown_id', id = id} end
    forgotten[#forgotten + 1] = fact
  end
  for _, fact in ipairs(forgotten) do redis.call('HDEL', facts_key(context.person), fact.id) end
  return {ok = true, forgotten = forgotten, count = #facts_of(context.person)}
end

EFFECTS.pin = function(context, args)
  local fact = fact_of(context.person, args.id)
  if not fact then return {ok = false, reason = 'unknown_id', id = args.id} end
  local already = fact.pinned == args.pinned
  fact.pinned = args.pinned
  store_fact(context.person, fact)
  return {ok = true, already = already, fact = fact}
end

-- Of a long list as many as one result may hold; `next` is where the rest begins.
local function shown_from(entries, offset)
  local shown, bytes = {}, 0
  for i = offset + 1, #entries do
    bytes = bytes + #cjson.encode(entries[i])
    if bytes > MAX_SHOWN and #shown > 0 then return shown, i - 1 end
    shown[#shown + 1] = entries[i]
  end
  return shown
end

-- Those that say some of the words, each of which is given in several spellings; those that say most of them first.
local function facts_that_say(facts, words)
  local found, said = {}, {}
  for place, fact in ipairs(facts) do
    local text, n = string.lower(fact.text), 0
    for _, spellings in ipairs(words) do
      for _, spelling in ipairs(spellings) do
        if string.find(text, spelling, 1, true) then
          n = n + 1
          break
        end
      end
    end
    if n > 0 then found[#found + 1], said[fact.id] = fact, n - place / 1000 end
  end
  table.sort(found, function(a, b) return said[a.id] > said[b.id] end)
  return found
end

EFFECTS.list_memory = function(context, args)
  local facts = facts_of(context.person)
  if args.words and #args.words > 0 then facts = facts_that_say(facts, args.words) end
  local shown, rest = shown_from(facts, args.offset)
  return {ok = true, facts = shown, count = #facts, next = rest}
end
