-- erase_spending: what answering one person has cost goes; in the books of all it stays, without them. What is reserved for a call of
-- theirs under way is settled at its amount first: a true use that comes later is written into the books of all alone. `senders` are the ids
-- of their addresses: a mail by a forwarding address is in nobody's books.
-- uses: spending
-- args: user senders...
local t, names = now(), {user, redis.call('HGET', K.people, user) or nil}  -- an older version has kept them by the entry's id
local theirs = {}
for i = senders, #ARGV do theirs[ARGV[i]] = true end

local function take_out(id)
  local call = read_model_call(id)
  local own = call and string.match(call.books[3] or '', '([^:]+):[^:]+$')
  if call and (theirs[call.sender] or (own and (own == names[1] or own == names[2]))) then
    if call.state == 'live' then call = settle(id, -1, 'bad', -1) end
    call.books, call.sender, call.conv, call.token = {call.books[1], call.books[2]}, '-', '-', '-'
    write_model_call(call)
  end
end

for _, set in ipairs({RESERVED, K.ended}) do
  for _, id in ipairs(redis.call('ZRANGE', set, 0, -1)) do take_out(id) end
end
for i = -math.floor(Money.kept[2] / DAY) - 5, 1 do
  for _, name in ipairs(names) do
    redis.call('DEL', Money.own_key(name, day_of(t + i * DAY)), Money.own_key(name, (Money.month_of(t + i * DAY))))
  end
end
redis.call('ZREM', K.spenders, unpack(names))
return ''
