-- opt_out: the pair's opt-out, learnt from elsewhere than the user's own text (Twilio's error 21610). The same when repeated.
return opt(ARGV[1], ARGV[2] == '1', now())
