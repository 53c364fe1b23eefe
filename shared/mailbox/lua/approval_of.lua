-- approval_of: a question's record, flat; nothing where there is none. Answer: its fields and values.
-- args: id
return redis.call('HGETALL', Approvals.key(id))
