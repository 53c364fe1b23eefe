-- finish: close the turn. Fenced, but allowed after expiry while nobody else took the lease.
-- Removes exactly the turn's messages, gives up the lease and says whether messages remain. A repeat gets the first answer.
-- uses: turns
local conv, token, state, reason, retention = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key = conv_key(conv)
if get(key, 'token') == token then return close_turn(conv, token, state, reason, retention, now()) end
if get(key, 'last_token') == token then return get(key, 'last_result') end
return 'lost'
