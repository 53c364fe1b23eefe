-- reconciled: one run of the reconciler is over. What it found is written down for `boss doctor`; a ledger line tells of a run that
-- brought something back, and of the first of several that failed alike. The same when repeated.
-- Answer: the error of the run before, '' where that had none: who logs says a trouble once.
-- args: run failure numbers listed accepted ignored marked unread
local key, t = K.reconcile, now()
if get(key, 'run') == run then return get(key, 'before') end

local before = get(key, 'failure')
redis.call('HSET', key, 'run', run, 'before', before, 'at', whole(t), 'failure', failure, 'numbers', numbers, 'listed', listed,
  'accepted', accepted, 'ignored', ignored, 'marked', marked, 'unread', unread)
if accepted ~= '0' or ignored ~= '0' then
  redis.call('HSET', key, 'found_at', whole(t), 'found', accepted)
  append('reconciled', 'accepted', accepted, 'ignored', ignored, 'maybe_duplicate', marked)
end
if failure ~= '' and failure ~= before then append('reconcile_failed', 'reason', failure) end
return before
