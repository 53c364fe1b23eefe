-- outcome: what the provider answered to an attempt. Never fenced, never thrown away, the same when repeated.
-- One accepted attempt makes the reply `sent` for good. A refusal decides only when every attempt was refused.
-- Answer: {the reply's state, "1" when decided}.
-- uses: turns replies
local reply, id, result, provider_id, code, retention = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local key, t = reply_key(reply), now()
local list = attempts_of(reply)
local attempt = find_attempt(list, id)
if not attempt then return {get(key, 'state'), '0'} end

if attempt.outcome ~= 'accepted' then
  if result == 'accepted' then
    take_accepted(reply, list, attempt, provider_id, retention, t)
  elseif attempt.outcome ~= result and attempt.outcome ~= 'refused' then
    attempt.outcome = result
    attempt.code = code
    write_attempts(reply, list)
    append(result == 'refused' and 'refused_by_provider' or 'not_found', 'conv', get(key, 'conv'), 'reply', reply, 'attempt', id, 'code', code)
    if count(list, '') == 0 and get(key, 'state') == 'sending' then redis.call('HSET', key, 'state', 'stored') end
  end
end
return {get(key, 'state'), #list > 0 and count(list, 'refused') == #list and '1' or '0'}
