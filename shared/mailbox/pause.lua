-- pause: nothing is claimed or sent until `resume`; messages are still accepted, and do not age. Answer: 1 when it was not paused.
if paused() then return 0 end
redis.call('HSET', P .. 'pause', 'since', whole(now()), 'reason', ARGV[1])
append('paused', 'reason', ARGV[1])
return 1
