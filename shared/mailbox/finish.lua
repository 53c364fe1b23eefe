-- finish: close the turn. Fenced, but allowed after expiry while nobody else took the lease.
-- Removes exactly the turn's messages, gives up the lease, says whether messages remain and enqueues the next job if they do.
-- A repeat gets the first answer.
-- uses: turns
local conv, token, state, reason, retention = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
WAKE = 6
return finish_turn(conv, token, state, reason, retention, now())
