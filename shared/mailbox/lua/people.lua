-- People. A person has an id that never changes and is given to nobody else; everything of theirs hangs on it. Each erasure raises its
-- epoch: what names an older one is made of what was erased, and is stored no more.

local PEOPLE = K.people
local function person_key(id) return K.person .. id end
local function facts_key(person) return K.facts .. person end
-- The conversations of a person, by when a turn of theirs in each ended last (`remember` in `turns`).
local function talks_key(person) return K.talks .. person end
function Approvals.always_key(person) return K.always .. person end

-- The person of an entry of the users file, made where it is met first; its id is made of the turn's, which is random.
local function person_of(user, turn)
  if user == '' then return '' end
  local id = redis.call('HGET', PEOPLE, user)
  if not id then
    id = 'per-' .. string.sub(turn, 3)
    redis.call('HSET', PEOPLE, user, id)
    redis.call('HSET', person_key(id), 'v', VERSION, 'user', user, 'epoch', 0)
  end
  return id
end

local function epoch_of(person) return person ~= '' and get(person_key(person), 'epoch') or '' end
