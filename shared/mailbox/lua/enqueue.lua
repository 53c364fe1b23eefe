-- enqueue: jobs for conversations whose time has come, eleven arguments each. The sweep's: which they are it learns from `sweep`.
-- args: jobs...
local t = now()
for at = jobs, #ARGV, 11 do enqueue_job(at, t) end
return #ARGV / 11
