-- erase_approvals: all questions that a person asked for, or was asked, go, with what they say "always" to. The codes stay: none of them is
-- given again within its day. Answer: {conversation, message, turn, reply} of each question that went to somebody by a message of its own,
-- flat: what it says there goes as well.
-- uses: people
-- args: user
local t, told = now(), {}
for _, id in ipairs(redis.call('ZRANGE', Approvals.of_user(user), 0, -1)) do
  local key = Approvals.key(id)
  local question = get(key, 'question')
  Approvals.close(id, 'withdrawn', t)
  if question ~= '' and redis.call('EXISTS', msg_key(question)) == 1 then
    local turn = get(msg_key(question), 'turn')
    for _, each in ipairs({get(key, 'asked_conv'), question, turn, turn ~= '' and reply_of(turn) or ''}) do told[#told + 1] = each end
  end
  redis.call('DEL', key)
end
redis.call('DEL', Approvals.of_user(user))
local person = redis.call('HGET', PEOPLE, user)
if person then redis.call('DEL', Approvals.always_key(person)) end
return told
