-- opt_out: the pair's opt-out, learnt from elsewhere than the user's own text (Twilio's error 21610). The same when repeated.
local pair, out = ARGV[1], ARGV[2] == '1'
if out == opted_out(pair) then return 0 end
if out then redis.call('SET', P .. 'optout:' .. pair, whole(now())) else redis.call('DEL', P .. 'optout:' .. pair) end
append(out and 'opted_out' or 'opted_in', 'pair', pair)
return 1
