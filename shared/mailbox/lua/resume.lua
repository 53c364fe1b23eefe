-- resume: end the pause of all, or of one user; its length is taken off the age of every message that it held.
-- Answer: 1 when there was one.
-- args: by user
local t, changed = now(), 0

local function go_on(pair)
  if end_pause(pair, t) then changed = 1 end
end

if user == '' then
  go_on('')
else
  for _, pair in ipairs(redis.call('SMEMBERS', K.paused)) do
    if get(pause_key(pair), 'user') == user then
      go_on(pair)
      redis.call('SREM', K.paused, pair)
    end
  end
end
if changed == 1 then append('resumed', 'by', by, 'user', user) end
return changed
