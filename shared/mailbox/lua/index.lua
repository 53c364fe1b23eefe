-- index: list messages that were stored by a version that kept no indexes, and note how far this has come, in one step. `from` is where
-- the caller began to look through the records and `to` where it ended; who began elsewhere than the last one ended moves nothing on, so
-- that of two workers one does a step twice, and none is left out. `names` are those that the record itself does not say. Without `to`
-- nothing is noted.
-- A message whose record has gone meanwhile is left out. A notice, which nobody looks for, is listed for its person alone (`beside_index`), and
-- a question beside for who asked for it. The same when repeated.
-- Answer: how many messages were listed by it; what was listed before is not counted.
-- uses: indexes index_ends
-- args: from to entries...
local t, progress, n = now(), K.indexing, 0

-- A message is listed under all of its names in one step, so the last of them tells.
local function is_listed(id, names)
  local name = string.match(names, '(%S+)%s*$')
  return not name or redis.call('ZSCORE', index_key(name), id)
end

local there = 0
for i = entries, #ARGV, 2 do
  local id, names = ARGV[i], ARGV[i + 1]
  local record = redis.call('HMGET', msg_key(id), 'id', 'kind', 'accepted_at', 'conv', 'index', 'user', 'approval')
  local notice, all = record[2] == 'notice', names
  if record[1] then
    there = there + 1
    if notice then
      names = beside_index(record[6] or string.match(names, 'u%-%S+') or '')
      all = names
    else
      if record[2] == 'question' then names = names .. ' ' .. beside_index(get(Approvals.key(record[7] or ''), 'user')) end
      all = names_of(id) .. ' ' .. names
    end
  end
  if record[1] and not is_listed(id, all) then
    local at, conv = record[3] or '0', record[4] or ''
    if names ~= '' and not record[5] then redis.call('HSET', msg_key(id), 'index', names) end
    index_message(id, all, at, t)
    if not notice and conv ~= '' and (tonumber(redis.call('ZSCORE', CONVERSATIONS, conv) or '') or 0) < tonumber(at) then
      redis.call('ZADD', CONVERSATIONS, at, conv)
    end
    n = n + 1
  end
end
if to ~= '' and get(progress, 'at') == from then
  redis.call('HSETNX', progress, 'began', whole(t))
  redis.call('HSET', progress, 'at', to, 'moved', whole(t))
  redis.call('HINCRBY', progress, 'listed', n)
  redis.call('HINCRBY', progress, 'there', there)
end
return n
