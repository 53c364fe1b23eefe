-- erase_approvals: all questions that a person asked for, or was asked, until `at`, when their erasure began, go. The codes stay: none of them
-- is given again within its day. Answer: {conversation, message, turn, reply} of each question that went to somebody by a message of its own,
-- flat: what it says there goes as well.
-- args: user at#
local t, told = now(), {}
for _, id in ipairs(redis.call('ZRANGE', Approvals.of_user(user), 0, -1)) do
  local key = Approvals.key(id)
  if number(key, 'at') <= at then
    local question = get(key, 'question')
    Approvals.close(id, 'withdrawn', t)
    if question ~= '' and redis.call('EXISTS', msg_key(question)) == 1 then
      local turn = get(msg_key(question), 'turn')
      for _, each in ipairs({get(key, 'asked_conv'), question, turn, turn ~= '' and reply_of(turn) or ''}) do told[#told + 1] = each end
    end
    for _, whose in ipairs({get(key, 'user'), get(key, 'approver'), user}) do
      if whose ~= '' then redis.call('ZREM', Approvals.of_user(whose), id) end
    end
    redis.call('DEL', key)
  end
end
return told
