-- opt_out: the pair's opt-out, learnt from elsewhere than the user's own text (Twilio's error 21610), or lifted by an operator, whose
-- name is given. The same when repeated. Answer: 1 when it is new.
-- args: pair out by
return opt(pair, out == '1', now(), by)
