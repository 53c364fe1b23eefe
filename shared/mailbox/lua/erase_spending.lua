-- erase_spending: what answering one person has cost goes; in the books of all it stays, without them. What is reserved for a call of
-- theirs under way is settled at its amount first: a true use that comes later is written into the books of all alone.
-- uses: spending
-- args: user
local t, names = now(), {user, redis.call('HGET', K.people, user) or nil}  -- an older version has kept them by the entry's id
for _, id in ipairs(redis.call('ZRANGE', RESERVED, 0, -1)) do
  local call = read_model_call(id)
  local own = call and string.match(call.books[3] or '', '([^:]+):[^:]+$')
  if own and (own == names[1] or own == names[2]) then
    call = settle(id, -1, 'bad', -1)
    call.books = {call.books[1], call.books[2]}
    write_model_call(call)
  end
end
for i = -math.floor(Money.kept[2] / DAY) - 5, 1 do
  for _, name in ipairs(names) do
    redis.call('DEL', Money.own_key(name, day_of(t + i * DAY)), Money.own_key(name, (Money.month_of(t + i * DAY))))
  end
end
redis.call('ZREM', K.spenders, unpack(names))
return ''
