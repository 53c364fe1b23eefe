-- finish: close the turn. Fenced, but allowed after expiry while nobody else took the lease.
-- Removes exactly the turn's messages, gives up the lease, says whether messages remain and enqueues the next job if they do.
-- A repeat gets the first answer.
-- uses: turns
-- args: conv token state reason retention wake...
return finish_turn(conv, token, state, reason, retention, now())
