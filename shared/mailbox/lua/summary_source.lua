-- summary_source: what a summary is to be made of: the last one, and what was said since that is in none, oldest first, as far as `most` bytes of
-- its records go. Where there is none to make, its conversation is asked about no more; while its sending is paused, a minute later.
-- Answer: {} or {version, chat, user, person, epoch, 1 for all that is in no summary, how many of the entries may be summarised, the record
-- (flat), the entries (their kind and their fields), and the pair}.
-- uses: people history
-- args: conv most#
local record, t = History.record(conv), now()
local pair = get(conv_key(conv), 'pair')
if not record or opted_out(pair) then
  redis.call('ZREM', History.summaries, conv)
  return {}
end
if paused(pair) then
  redis.call('ZADD', History.summaries, 'XX', whole(t + 60000), conv)
  return {}
end
local user = get(record, 'user')
local person = user ~= '' and redis.call('HGET', PEOPLE, user) or ''
local entries, older = History.unsummarised(conv, record)
local found, bytes, whole_read, eligible = {}, 0, 1, 0
for i, entry in ipairs(entries) do
  if bytes > most then
    whole_read = 0
    break
  end
  local kind, id = string.sub(entry, 1, 1), string.sub(entry, 3)
  local flat = kind == 'b' and {} or redis.call('HGETALL', kind == 'm' and msg_key(id) or reply_key(id))
  local whose = History.value_of(flat, 'user')
  if #flat > 0 and (whose == user or whose == '') then
    for j = 2, #flat, 2 do bytes = bytes + #flat[j] end
    found[#found + 1] = {kind, flat}
    if i <= older then eligible = #found end
  end
end
return {get(record, 'version'), get(record, 'chat'), user, person, epoch_of(person), whole_read, eligible, redis.call('HGETALL', record), found, pair}
