-- opt_out: the pair's opt-out, learnt from elsewhere than the user's own text (Twilio's error 21610), or lifted by an operator, whose
-- name is given. The same when repeated. Answer: 1 when it is new.
return opt(ARGV[1], ARGV[2] == '1', now(), ARGV[3])
