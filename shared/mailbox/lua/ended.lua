-- ended: a process has ended, as itself says at its end, or its own host when it has died: what it held is given up at once, some of it
-- at a time. Each is one lost lease. Answer: 1 when there may be more.
-- uses: liveness
-- args: process most#
local n = let_go(process, ENDED, most, now())
if n > 0 then append('process_ended', 'process', process, 'conversations', whole(n)) end
return n == most and 1 or 0
