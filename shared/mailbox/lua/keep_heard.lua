-- keep_heard: what was heard in a recording of a message stays with it, so that no later try of its turn pays for it once more. What it
-- cost is settled first, whoever holds the lease. Fenced; what stands there already stays, and a message that was erased meanwhile does not
-- come back. Answer: "kept", "lost" or "gone".
-- uses: spending
-- args: conv token id field heard settled{model_call used# answer cost#}
settle(settled.model_call, settled.used, settled.answer, settled.cost)
if get(conv_key(conv), 'token') ~= token then return 'lost' end
if redis.call('EXISTS', msg_key(id)) == 0 then return 'gone' end
redis.call('HSETNX', msg_key(id), field, heard)
return 'kept'
