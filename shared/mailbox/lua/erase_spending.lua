-- erase_spending: what answering one person has cost goes; in the books of all it stays, without them. What is reserved for a call of
-- theirs under way is settled at its amount first: a true use that comes later is written into the books of all alone.
-- uses: spending
-- args: person
local t, own = now(), Money.own_key(person, '')
for _, id in ipairs(redis.call('ZRANGE', Money.costs, 0, -1)) do
  local cost = Money.read(id)
  if cost and string.sub(cost.books[3], 1, #own) == own then settle(id, -1, 'bad', -1) end
end
for i = -math.floor(Money.kept[2] / DAY) - 5, 1 do
  redis.call('DEL', Money.own_key(person, day_of(t + i * DAY)), Money.own_key(person, (Money.month_of(t + i * DAY))))
end
redis.call('ZREM', P .. 'spenders', person)
return ''
