-- pause: nothing is claimed or sent until `resume`, for all or, with a user's id and their pairs, for that user; messages are still
-- accepted, and do not age. It is an operator's: where an alarm had paused all, it takes that one's place, and no probe ends it.
-- Answer: 1 when something was not paused before, or not by an operator.
-- args: reason by user all...
local t, changed = now(), 0

local function stop(pair)
  local key = pause_key(pair)
  if held(pair) then
    if get(key, 'provider') == '' then return end
    redis.call('HSET', key, 'reason', reason, 'by', by, 'provider', '', 'probe', '')
    changed = 1
    return
  end
  changed = 1
  redis.call('HSET', key, 'since', whole(pair == '' and t or active(t, '')), 'at', whole(t), 'reason', reason, 'by', by, 'user', user)
  if pair ~= '' then
    redis.call('SADD', K.paused, pair)
    Approvals.withdraw(pair, '', t)
  end
end

if user == '' then stop('') end
for i = all, #ARGV do stop(ARGV[i]) end
if changed == 1 then append('paused', 'reason', reason, 'by', by, 'user', user) end
return changed
