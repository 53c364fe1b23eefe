-- store_folds: what of a message is shown as a note only, as it was judged when it was first shown in a question. The first word stays:
-- what was shown once is shown alike ever after, also by a holder that takes over. Not fenced, since that is so whoever asks. It stands in
-- the message's record, and goes with it; one that was erased meanwhile gets none. Answer: what stands there.
-- args: id folds
if redis.call('EXISTS', msg_key(id)) == 0 then return '' end
redis.call('HSETNX', msg_key(id), 'folds', folds)
return get(msg_key(id), 'folds')
