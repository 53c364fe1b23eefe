-- revoke_always: what a person has said "always" to is asked about again from now on; `what` is the tool, with its recipient where it has one.
-- Answer: 1 where they had said it.
-- uses: people
-- args: person user what
local n = redis.call('HDEL', Approvals.always_key(person), what)
if n > 0 then append('always_revoked', 'user', user) end
return n
