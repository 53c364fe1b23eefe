-- ended: a process has ended. It says so itself at its end; when it has died, another process of its host does. What it held is given up
-- at once, at most `most` conversations in one call. Each is one lost lease. Answer: 1 when there may be more.
-- uses: liveness
-- args: process most#
local n = let_go(process, ENDED, most, now())
if n > 0 then append('process_ended', 'process', process, 'conversations', whole(n)) end
return n == most and 1 or 0
