-- warn: what an operator must know of, and what stops nothing by itself. Told once in `window`. Answer: 1 when it is told by this call.
-- args: reason window#
if not redis.call('SET', K.warned .. reason, '1', 'NX', 'PX', window) then return 0 end
append('alarm', 'reason', reason)
return 1
