-- index: list messages that were stored by a version that kept no indexes, and note how far this has come, in one step. `from` is where
-- the caller began to look through the records and `to` where it ended; who began elsewhere than the last one ended moves nothing on, so
-- that of two workers one does a step twice, and none is left out. `names` are those that the record itself does not say. Without `to`
-- nothing is noted.
-- A message whose record has gone meanwhile is left out, and so is a notice, which nobody looks for. The same when repeated.
-- Answer: how many messages were listed by it; what was listed before is not counted.
-- uses: indexes index_ends
-- args: from to entries...
local t, progress, n = now(), K.indexing, 0

-- A message is listed under all of its names in one step, so one of them tells.
local function is_listed(id, names)
  local name = string.match(names_of(id) .. ' ' .. names, '%S+')
  return not name or redis.call('ZSCORE', index_key(name), id)
end

for i = entries, #ARGV, 2 do
  local id, names = ARGV[i], ARGV[i + 1]
  local record = redis.call('HMGET', msg_key(id), 'id', 'kind', 'accepted_at', 'conv', 'index')
  if record[1] and record[2] ~= 'notice' and not is_listed(id, names) then
    local at, conv = record[3] or '0', record[4] or ''
    if names ~= '' and not record[5] then redis.call('HSET', msg_key(id), 'index', names) end
    index_message(id, names_of(id), at, t)
    if conv ~= '' and (tonumber(redis.call('ZSCORE', CONVERSATIONS, conv) or '') or 0) < tonumber(at) then
      redis.call('ZADD', CONVERSATIONS, at, conv)
    end
    n = n + 1
  end
end
if to ~= '' and get(progress, 'at') == from then
  redis.call('HSETNX', progress, 'began', whole(t))
  redis.call('HSET', progress, 'at', to, 'moved', whole(t))
  redis.call('HINCRBY', progress, 'listed', n)
end
return n
