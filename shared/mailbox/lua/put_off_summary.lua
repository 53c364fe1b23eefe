-- put_off_summary: a summary could not be made, or need not be. What is there stays. With `wait` it is tried again then, twice as late with each
-- try in a row, at most six hours later; without (-1) when a turn says again that it is wanted.
-- uses: history
-- args: conv reason wait#
local record, t = History.record(conv), now()
if wait < 0 or not record then
  redis.call('ZREM', History.summaries, conv)
else
  local tries = wait > 0 and redis.call('HINCRBY', record, 'tries', 1) or 1
  redis.call('ZADD', History.summaries, 'XX', whole(t + math.min(History.longest, wait * 2 ^ math.min(tries - 1, 20))), conv)
end
append('summary_put_off', 'conv', conv, 'reason', reason)
return ''
