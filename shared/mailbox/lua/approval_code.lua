-- approval_code: a code for a question that is about to be asked, which whoever is asked has not seen within a day of the end of another: of
-- `codes` the first that is free. It is this question's from now on, for a day, or until a day after its end. The same question, asked for
-- again, may get another one. Answer: the code, or "" where none of them is free.
-- args: user approval codes...
for i = codes, #ARGV do
  local key = Approvals.code_key(user, ARGV[i])
  redis.call('SET', key, approval, 'NX', 'PX', Approvals.KEPT)
  if redis.call('GET', key) == approval then return ARGV[i] end
end
return ''
