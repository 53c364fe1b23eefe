-- Indexes: the messages of one person, of one conversation and of one Message-ID, each a sorted set of message ids by when they came, so
-- that a find reads what it is asked for and never scans. An index's name is the id that is looked for (`u-`, `s-`, `c-`, `i-`, `w-`).
-- An entry goes when its record has gone: `INDEXES` says when each index is to be looked through next. `CONVERSATIONS` holds those that
-- have kept messages, by their last activity.

local INDEXES, CONVERSATIONS = K.indexes, K.conversations
local INDEX_DAY = 86400000

local function index_key(name) return K.index .. name end

-- The names in a record's field, or in an argument: separated by blanks.
local function each_name(names) return string.gmatch(names, '%S+') end

local function index_message(id, names, at, t)
  local look = {INDEXES, 'NX'}
  for name in each_name(names) do
    redis.call('ZADD', index_key(name), at, id)
    look[#look + 1], look[#look + 2] = whole(t + INDEX_DAY), name
  end
  if #look > 2 then redis.call('ZADD', unpack(look)) end
end
