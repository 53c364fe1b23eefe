-- outcome: what the provider answered to an attempt. Never fenced, never thrown away, the same when repeated.
-- "unknown" only says why no answer is known (`code`): the attempt stays pending.
-- One accepted attempt makes the reply `sent` for good. A refusal decides only when every attempt was refused. A holder gives its
-- conversation and token: when the reply is taken its turn is finished in the same step, under `finish`'s rules (a repeat gets the
-- first answer). Answer: {the reply's state, "1" when decided, what `finish` says or ""}.
-- uses: turns replies
-- args: reply id result provider_id code retention conv token wake...
local key, t = reply_key(reply), now()
local list = attempts_of(reply)
local attempt = find_attempt(list, id)
if not attempt then return {get(key, 'state'), '0', ''} end

if attempt.outcome ~= 'accepted' then
  if result == 'accepted' then
    take_accepted(reply, list, attempt, provider_id, retention, t)
  elseif result == 'unknown' then
    if attempt.outcome == '' and attempt.code == '' then
      attempt.code = code
      write_attempts(reply, list)
      append('no_answer', 'conv', get(key, 'conv'), 'reply', reply, 'attempt', id, 'code', code)
    end
  elseif attempt.outcome ~= 'refused' then
    attempt.outcome = 'refused'
    attempt.code = code
    write_attempts(reply, list)
    append('refused_by_provider', 'conv', get(key, 'conv'), 'reply', reply, 'attempt', id, 'code', code)
    rest(reply, list)
  end
end

local closed = ''
if token ~= '' and count_outcomes(list, 'accepted') > 0 then closed = finish_turn(conv, token, 'answered', '', retention, t) end
return {get(key, 'state'), #list > 0 and count_outcomes(list, 'refused') == #list and '1' or '0', closed}
