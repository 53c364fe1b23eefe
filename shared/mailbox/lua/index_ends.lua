-- How entries leave the indexes (`indexes`): with their records, or because these have gone.
local TRIMMED_AT_ONCE = 100

local function drop_empty(name)
  if redis.call('EXISTS', index_key(name)) == 1 then return false end
  redis.call('ZREM', INDEXES, name)
  redis.call('ZREM', CONVERSATIONS, name)
  return true
end

-- What a message's record says of where it is listed; read before the record goes.
local function names_of(id)
  local found = redis.call('HMGET', msg_key(id), 'user', 'sender', 'conv', 'index')
  for i = 1, 4 do found[i] = found[i] or '' end
  return table.concat(found, ' ')
end

local function unindex_message(id)
  for name in each_name(names_of(id)) do
    redis.call('ZREM', index_key(name), id)
    drop_empty(name)
  end
end

-- Take out the oldest entries whose records have gone. The index is looked through again when the record of the first one left ends, and
-- not before a day has passed: a busy index is looked through once a day.
local function trim_index(name, t)
  local key, removed, left = index_key(name), 0, -1
  local oldest = redis.call('ZRANGE', key, 0, TRIMMED_AT_ONCE - 1)
  for _, id in ipairs(oldest) do
    local life = redis.call('PTTL', msg_key(id))
    if life == -2 then
      redis.call('ZREM', key, id)
      removed = removed + 1
    elseif left < 0 then
      left = math.max(life, 0)
    end
  end
  if drop_empty(name) then return end
  local wait = removed == TRIMMED_AT_ONCE and 0 or math.max(left, INDEX_DAY)
  redis.call('ZADD', INDEXES, whole(t + wait), name)
end

-- Look through the indexes whose time has come; a few at a time, for the sweep does so several times a second.
local function trim_indexes(most, t)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', INDEXES, '-inf', whole(t), 'LIMIT', 0, most)) do trim_index(name, t) end
end
