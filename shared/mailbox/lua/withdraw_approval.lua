-- withdraw_approval: an operator ends a question that waits for a yes: nothing of it is done, and a late answer is told that it is not open
-- any more. Answer: 1 where it waited.
-- args: id
if get(Approvals.key(id), 'state') ~= 'pending' then return 0 end
Approvals.close(id, 'withdrawn', now())
return 1
