-- erase_spending: what answering one person has cost goes; in the books of all it stays, without them. What is reserved for a call of
-- theirs under way is settled at its amount first: a true use that comes later is written into the books of all alone.
-- uses: spending
-- args: person
local t, own = now(), Money.own_key(person, '')
for _, id in ipairs(redis.call('ZRANGE', RESERVED, 0, -1)) do
  local call = read_model_call(id)
  if call and string.sub(call.books[3] or '', 1, #own) == own then
    call = settle(id, -1, 'bad', -1)
    call.books = {call.books[1], call.books[2]}
    write_model_call(call)
  end
end
for i = -math.floor(Money.kept[2] / DAY) - 5, 1 do
  redis.call('DEL', Money.own_key(person, day_of(t + i * DAY)), Money.own_key(person, (Money.month_of(t + i * DAY))))
end
redis.call('ZREM', P .. 'spenders', person)
return ''
