-- alarm: a provider refused us. What is `sure` (a 401, a 402, the provider's own word on key, account or budget) pauses all sending.
-- A 403 may be the key's, or this very message's: something in between may not like its words. It pauses all sending only where an
-- earlier one stands and that provider has taken nothing since (`provider_took` forgets it): another sender's, `apart` ms ago, or
-- another message's, `quiet` ms ago. Else the holder counts it against its message.
-- Such a pause lets a turn through after `probe` ms, then after twice that, up to `longest`; here its refusal is heard.
-- Answer: "paused" to who did so, "held" where all is paused already, or "counted".
-- uses: turns
-- args: conv provider reason sure apart# quiet# window# probe# longest#
local t, pause, denied = now(), pause_key(''), K.denied .. provider
local sender = get(conv_key(conv), 'sender')
local message = turn_messages(get(conv_key(conv), 'turn'))[1] or ''

if held('') then
  if get(pause, 'provider') == provider then redis.call('HSET', pause, 'refused', sender) end
  return 'held'
end

local before = get(denied, 'at')
if sure ~= '1' and before == '' then
  redis.call('HSET', denied, 'sender', sender, 'message', message, 'at', whole(t))
  redis.call('PEXPIRE', denied, window)
  return 'counted'
end
local passed = t - (tonumber(before) or t)
local another = get(denied, 'sender') ~= sender and passed >= apart or get(denied, 'message') ~= message and passed >= quiet
if sure ~= '1' and not another then return 'counted' end

redis.call('DEL', denied)
redis.call('HSET', pause, 'since', whole(t), 'at', whole(t), 'reason', reason, 'by', 'alarm', 'user', '', 'provider', provider, 'refused', sender,
  'probe', '', 'probe_at', whole(t + probe), 'probe_wait', whole(probe), 'probe_most', whole(longest))
append('paused', 'reason', reason, 'by', 'alarm', 'user', '', 'provider', provider)
return 'paused'
