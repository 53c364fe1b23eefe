-- resume: end the pause of all, or of one user; its length is taken off the age of every message that it held.
-- Answer: 1 when there was one.
-- args: by user
local t, changed = now(), 0

local function go_on(pair)
  if not held(pair) then return end
  changed = 1
  local key = pause_key(pair)
  local clock = pair == '' and t or active(t, '')
  redis.call('HSET', key, 'since', '', 'reason', '', 'total', whole(number(key, 'total') + clock - number(key, 'since')))
end

if user == '' then
  go_on('')
else
  for _, pair in ipairs(redis.call('SMEMBERS', P .. 'paused')) do
    if get(pause_key(pair), 'user') == user then
      go_on(pair)
      redis.call('SREM', P .. 'paused', pair)
    end
  end
end
if changed == 1 then append('resumed', 'by', by, 'user', user) end
return changed
