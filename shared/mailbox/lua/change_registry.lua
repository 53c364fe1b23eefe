-- change_registry: the registry's entry `id` becomes `entry`, or goes where that is "" and nothing is renamed. `version` is the registry's by
-- which the change was judged; under another nothing changes. `renamed`: the username that an entry of the users file has from now on, "" for
-- none. `operation` is this change's own name: a repeat within the hour answers as the first call did. `user` is the entry's id as records
-- have it: the epoch of a person who goes is raised, so that nothing made of what they have said is stored any more.
-- Answer: "ok" or "stale".
-- uses: people
-- args: version# id user entry renamed operation
local HOUR = 3600000
if redis.call('EXISTS', K.registry_change .. operation) == 1 then return 'ok' end
if number(K.registry_state, 'version') ~= version then return 'stale' end
if entry ~= '' then
  redis.call('HSET', K.registry, id, entry)
  redis.call('SADD', K.registry_ids, id)
elseif renamed == '' then
  redis.call('HDEL', K.registry, id)
  local person = redis.call('HGET', PEOPLE, user)
  if person then redis.call('HINCRBY', person_key(person), 'epoch', 1) end
end
if renamed ~= '' then redis.call('HSET', K.registry_names, renamed, id) end
redis.call('HSET', K.registry_state, 'version', version + 1)
redis.call('SET', K.registry_change .. operation, '1', 'PX', HOUR)
append('registry_changed', 'user', user)
return 'ok'
