-- keep_read: what was read in the files of a message stays with it, so that a later question shows it when the files have gone. Fenced; a
-- message that was erased meanwhile does not come back. Answer: "kept", "lost" or "gone".
-- args: conv token id read
if get(conv_key(conv), 'token') ~= token then return 'lost' end
if redis.call('EXISTS', msg_key(id)) == 0 then return 'gone' end
redis.call('HSET', msg_key(id), 'read', read)
return 'kept'
