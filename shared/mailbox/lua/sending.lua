-- sending: a permit for one request to the provider, and its attempt stored in the same step.
-- Fenced. Pending attempts come before any other verdict: they are looked up. Then: the pair opted out (the turn ends as ignored),
-- what it says was taken back before anything was sent (likewise),
-- sending is paused (the lease is given up, nothing is counted), a message too old or too many attempts of unknown outcome (the holder
-- parks it), too little lease left ("short"). A repeat says "ok" only if the token still holds, the attempt is the last and pending, and
-- all conditions pass again; otherwise "lost".
-- Answer: {verdict, attempt as JSON or "", "more" or "empty" or ""}.
-- uses: turns replies send_permit
-- args: conv token reply id limits{send# margin# pause_wait# jitter# retention oldest# repeats#} wake...
return take_permit(conv, token, reply, id, limits, now())
