-- sending: leave for one request to the provider, and its attempt stored in the same step.
-- Fenced. Unresolved attempts come before any other verdict: they are looked up. Then: the pair opted out (the turn ends as
-- ignored), sending is paused (the lease is given up, nothing is counted), too little lease left ("short"). A repeat says "ok" only
-- if the token still holds, the attempt is the last and unresolved, and all conditions pass again; otherwise "lost".
-- Answer: {verdict, attempt as JSON or "", "more" or "empty" or ""}.
-- uses: turns replies
local conv, token, reply, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local send, margin, pause_wait, jitter, retention = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local key, t = conv_key(conv), now()

if get(key, 'token') ~= token or reply_of(get(key, 'turn')) ~= reply then return {'lost', '', ''} end
local list = attempts_of(reply)
local mine, index = find_attempt(list, id)
if count(list, 'accepted') > 0 then return {mine and 'lost' or 'sent', '', ''} end

local out = opted_out(get(key, 'pair'))
local short = number(key, 'lease_end') - t < send + margin
if mine then
  local again = index == #list and mine.outcome == '' and not out and not paused() and not short
  return again and {'ok', cjson.encode(mine), ''} or {'lost', '', ''}
end
for _, attempt in ipairs(list) do
  if attempt.outcome == '' then return {'look_up', cjson.encode(attempt), ''} end
end
if out then return {'opted_out', '', close_turn(conv, token, 'ignored', 'opted_out', retention, t)} end
if paused() then
  append('backoff', 'conv', conv, 'reason', 'paused', 'counted', 0)
  return {'paused', '', give_up(conv, token, t + math.floor(pause_wait * (1 + jitter / 2)), t)}
end
if short then return {'short', '', ''} end

local attempt = {id = id, at = t, outcome = '', provider_id = '', code = ''}
if count(list, 'absent') > 0 then redis.call('HSET', reply_key(reply), 'maybe_duplicate', 1) end
list[#list + 1] = attempt
write_attempts(reply, list)
redis.call('HSET', reply_key(reply), 'state', 'sending')
append('sending', 'conv', conv, 'reply', reply, 'attempt', id, 'n', #list)
return {'ok', cjson.encode(attempt), ''}
