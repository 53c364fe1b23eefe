-- erase_begin: the first step of an erasure of one person; `user` is the id of their entry, `senders` those of their addresses. From here on
-- nothing is stored that is made of what they have said: their epoch is raised, their messages that wait leave their inboxes, and the leases
-- under which these are worked on are broken, at most `most` messages a call: while there are more the call is made again, and what was made
-- of them meanwhile goes by that. What hangs on the person themselves goes in the same step: so what they write from now on is not touched.
-- The time of it is noted: what waits on the disks of web hosts from before is dropped there (`erasures`), and accepted by nobody (`accept`).
-- A clock that has stepped back does not make what was said before look like something new.
-- Answer: {the time in ms, facts and items of lists, reminders, files, messages taken out of inboxes, leases broken, 1 where there are more}.
-- uses: turns people effects facts lists ringing erasing
-- args: user most# senders...
local KEPT = 34560000000  -- 400 days
local t = now()
local at = math.max(t, number(LOOKED, 'clock'))
local person = redis.call('HGET', K.people, user) or ''
local told = {forgotten = 0, reminders = 0, files = 0, ended = 0, leases = 0, more = 0}

redis.call('ZREMRANGEBYSCORE', K.erasures, '-inf', whole(t - KEPT))
redis.call('ZADD', K.erasures, whole(at), user)
for i = senders, #ARGV do redis.call('ZADD', K.erasures, whole(at), ARGV[i]) end
redis.call('SREM', K.zone_changed, user)

if person ~= '' then
  redis.call('HINCRBY', person_key(person), 'epoch', 1)
  redis.call('HDEL', person_key(person), 'asked_zone')
  told.forgotten = #facts_of(person)
  for _, list in ipairs(lists_of(person)) do
    told.forgotten = told.forgotten + redis.call('HLEN', items_key(person, list.id))
    redis.call('DEL', items_key(person, list.id))
  end
  redis.call('DEL', facts_key(person), lists_key(person), talks_key(person), K.copies .. person, Approvals.always_key(person))
  for _, key in ipairs({reminders_key(person), rung_key(person)}) do
    for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      drop_reminder(id, person)
      told.reminders = told.reminders + 1
    end
  end
end

local held = redis.call('HGETALL', K.files)
for i = 1, #held, 2 do
  if read_file_entry(held[i + 1]).user == user then
    drop_file(held[i])
    told.files = told.files + 1
  end
end

local waiting, talks = {}, {}
for _, index in ipairs({user, beside_index(user)}) do
  for _, id in ipairs(redis.call('ZRANGE', K.index .. index, 0, -1)) do
    if redis.call('ZSCORE', OPEN, id) and told.more == 0 then
      if told.ended == most then
        told.more = 1
      else
        local conv = get(msg_key(id), 'conv')
        talks[#talks + 1], waiting[conv] = not waiting[conv] and conv or nil, waiting[conv] or {}
        waiting[conv][id] = true
        told.ended = told.ended + 1
      end
    end
  end
end
for _, conv in ipairs(talks) do
  told.leases = told.leases + Erase.break_lease(conv, waiting[conv], t)
  for id in pairs(waiting[conv]) do
    out_of_inbox(conv, id)
    redis.call('HSET', msg_key(id), 'state', 'ignored', 'reason', 'erased')
  end
  Erase.schedule(conv, t)
end
append('erasing', 'user', user, 'n', told.ended)
return {whole(at), told.forgotten, told.reminders, told.files, told.ended, told.leases, told.more}
