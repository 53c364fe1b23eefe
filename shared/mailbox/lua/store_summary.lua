-- store_summary: the summary of a conversation's beginning, under the version and the chat that it was made of, and its person's epoch: what was
-- erased meanwhile, or left for a new chat, gets none. The history begins from now on behind what the summary covers: with the entry `upto`,
-- unless it begins later already. A repeat gets the first answer, by the summary's id. Where more is left to be summarised (`more`), another
-- one is wanted. Answer: "ok", "stale", "gone", or "erased".
-- uses: people history
-- args: conv id version# chat user person epoch upto text marked source covers more# retention
local t = now()
local record = History.record(conv)
if person ~= '' and epoch_of(person) ~= epoch then return 'erased' end
if not record then return 'gone' end
if get(record, 'made') == id then return 'ok' end
if get(record, 'chat') ~= chat or get(record, 'user') ~= user or number(record, 'version') ~= version then return 'stale' end
redis.call('HSET', record, 'text', text, 'marked', marked, 'source', source, 'until', covers, 'upto', upto, 'made', id, 'made_at', whole(t),
  'version', version + 1, 'tries', 0)
if History.place_of(conv, upto) > History.place_of(conv, get(record, 'from')) then redis.call('HSET', record, 'from', upto) end
redis.call('ZREM', History.summaries, conv)
if more > 0 then
  redis.call('HSET', record, 'wanted', whole(t))
  redis.call('ZADD', History.summaries, whole(t), conv)
end
redis.call('PEXPIRE', record, retention)
append('summary_stored', 'conv', conv)
return 'ok'
