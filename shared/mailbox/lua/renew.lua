-- renew: the holder extends its lease, also after it expired while nobody else took it. Answer: the new end, 0 when lost.
-- uses: turns
-- args: conv token lease#
if get(conv_key(conv), 'token') ~= token then return 0 end
return extend_lease(conv, lease, now())
