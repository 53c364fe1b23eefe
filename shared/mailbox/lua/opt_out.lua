-- opt_out: the pair's opt-out, learnt from elsewhere than the user's own text (Twilio's error 21610), or lifted by an operator, whose
-- name is given. What was done for who opts in again, and nobody could tell them, is told now. The same when repeated. Answer: 1 when it is new.
-- uses: owed
-- args: pair out by
local t = now()
local new = opt(pair, out == '1', t, by)
if new == 1 and out ~= '1' then tell_owed(pair, t) end
return new
