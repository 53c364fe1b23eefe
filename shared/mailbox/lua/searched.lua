-- searched: how often a call to the model has searched the web, in each of its books. Unfenced, and once a call: whoever says it again
-- changes nothing. What the searches cost is told with the call's use. Answer: whether it was counted now.
-- uses: spending
-- args: model_call searches#
local call = read_model_call(model_call)
if not call or not redis.call('SET', K.searched .. model_call, searches, 'NX', 'PX', 2 * DAY) then return 0 end
for i, key in ipairs(call.books) do
  if i <= 2 or redis.call('EXISTS', key) == 1 then redis.call('HINCRBY', key, 'searches', searches) end
end
return 1
