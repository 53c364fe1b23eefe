-- outgrown: the history of a conversation has outgrown its bound. Its record says from now on that a summary of what stands first is wanted
-- (`wanted`), and, where it has outgrown half as much again, that it begins with the entry `from` of the list: what stands before that is shown
-- no more, and is in no summary yet. Fenced, by the lease and by the version of the record that the question was made of: a summary may have
-- been stored meanwhile. Answer: the record's version, "stale", or "lost".
-- uses: turns history
-- args: conv token version# from wanted# quiet# retention
local key, t = conv_key(conv), now()
if get(key, 'token') ~= token then return 'lost' end
local record = History.open(conv, get(turn_key(get(key, 'turn')), 'user'))
if from ~= '' and get(record, 'from') == from then return get(record, 'version') end  -- said once before
if number(record, 'version') ~= version then return 'stale' end
if from ~= '' then redis.call('HSET', record, 'from', from, 'version', version + 1) end
if wanted > 0 and redis.call('ZADD', History.summaries, 'NX', whole(t + quiet), conv) == 1 then
  redis.call('HSET', record, 'wanted', whole(t))
  append('summary_wanted', 'conv', conv)
end
redis.call('PEXPIRE', record, retention)
return get(record, 'version')
