-- resume: end the pause; its length is taken off every message's age. Answer: 1 when there was one.
local since = get(P .. 'pause', 'since')
if since == '' then return 0 end
redis.call('HSET', P .. 'pause', 'since', '', 'reason', '', 'total', whole(number(P .. 'pause', 'total') + now() - tonumber(since)))
append('resumed')
return 1
