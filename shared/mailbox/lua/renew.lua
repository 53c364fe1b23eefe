-- renew: the holder extends its lease, also after it expired while nobody else took it. Answer: the new end, 0 when lost.
-- uses: turns
-- args: conv token lease#
if get(conv_key(conv), 'token') ~= token then return 0 end
local lease_end = now() + lease
redis.call('HSET', conv_key(conv), 'lease_end', whole(lease_end))
local box = box_of(get(conv_key(conv), 'turn'))
redis.call('ZADD', box.due, whole(lease_end), conv)
local process = get(conv_key(conv), 'holder')
if process ~= '' then redis.call('ZADD', held_key(process), whole(lease_end), conv) end
local sender = get(conv_key(conv), 'sender')
if sender ~= '' and box == FIRST then redis.call('ZADD', busy_key(sender), whole(lease_end), conv) end
return lease_end
