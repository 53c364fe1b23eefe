-- called: what came of a call that `calling` allowed. Unfenced: it is true whoever holds the lease now; the first word counts. Nothing is
-- stored for a turn that has ended, or was erased. Answer: what stands there, or "".
-- uses: turns
-- args: turn call entry figures
if redis.call('HEXISTS', steps_key(turn), 'calling:' .. call) == 0 then return '' end
if redis.call('HSETNX', steps_key(turn), 'result:' .. call, entry) == 1 then redis.call('HSET', turn_key(turn), 'step:result:' .. call, figures) end
return redis.call('HGET', steps_key(turn), 'result:' .. call)
