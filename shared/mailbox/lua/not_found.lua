-- not_found: a look-up succeeded and did not show an attempt. Never fenced: any holder may look, and the operator.
-- The first look is recorded in the attempt; `absent` it is only after a second one, which was asked (`asked`, ms of the server's
-- time) at least `again` ms after the first: so neither a repeat of this call nor two looks at the same time count for two. A
-- provider without a list is waited for instead, and gives 0 for `again`. What is resolved stays as it is.
-- Answer: {the attempt's outcome, ms until the second look}.
-- uses: turns replies
-- args: reply id asked# again# retention
local key, t = reply_key(reply), now()
local list = attempts_by(reply, t)
local attempt = find_attempt(list, id)
if not attempt then return {'absent', 0} end
if attempt.outcome ~= '' then return {attempt.outcome, 0} end

local looked = attempt.looked or 0
if looked == 0 and again > 0 then
  attempt.looked = t
  write_attempts(reply, list)
  append('looked_up', 'conv', get(key, 'conv'), 'reply', reply, 'attempt', id)
  return {'', again}
end
if math.min(asked, t) - looked < again then return {'', math.max(0, looked + again - t)} end

attempt.outcome = 'absent'
write_attempts(reply, list)
keep_unsure(reply, attempt, retention)
append('not_found', 'conv', get(key, 'conv'), 'reply', reply, 'attempt', id, 'code', attempt.code)
rest(reply, list)
return {'absent', 0}
