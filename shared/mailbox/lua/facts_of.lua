-- facts_of: what of a person's facts a question shows: the pinned ones first, then the newest, in `most` bytes of their texts.
-- Answer: {how many there are, each that is shown as JSON}.
-- uses: people effects facts
-- args: person most#
local facts, answer, bytes = facts_of(person), {}, 0
for _, pinned in ipairs({true, false}) do
  for _, fact in ipairs(facts) do
    bytes = bytes + (fact.pinned == pinned and #fact.text or 0)
    if fact.pinned == pinned and bytes <= most then answer[#answer + 1] = cjson.encode(fact) end
  end
end
return {#facts, unpack(answer)}
