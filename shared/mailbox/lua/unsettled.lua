-- unsettled: texts that Twilio took `after` ms ago or earlier and of which no final report has come, oldest first, to be asked about.
-- Each is asked about again when twice as much time has passed, and no more when it is older than `most`, or its record is gone.
-- Answer: {{reply, attempt, provider's id}, ...}, at most `limit`.
-- uses: turns replies
-- args: after# most# limit#
local t, found = now(), {}

local function taken_attempt(reply)
  for _, attempt in ipairs(attempts_of(reply)) do
    if attempt.outcome == 'accepted' and attempt.provider_id ~= '' then return attempt end
  end
end

for _, reply in ipairs(redis.call('ZRANGEBYSCORE', K.unsettled, '-inf', whole(t - after), 'LIMIT', 0, limit)) do
  local attempt = get(reply_key(reply), 'state') == 'sent' and taken_attempt(reply)
  local age = attempt and t - attempt.at or 0
  if attempt and age <= most then
    redis.call('ZADD', K.unsettled, whole(t + math.max(age, after) - after), reply)
    found[#found + 1] = {reply, attempt.id, attempt.provider_id}
  else
    redis.call('ZREM', K.unsettled, reply)
    if attempt then append('unsettled', 'conv', get(reply_key(reply), 'conv'), 'reply', reply) end
  end
end
return found
