-- refuse: a ledger line for a request that was refused. At most 30 a minute of one kind are written, so that a flood of forged
-- requests cannot push the ledger's other lines out; beyond those every thousandth, each with its number. All are counted.
-- args: channel reason status
local key = K.refused .. channel .. ':' .. reason
local n = redis.call('INCR', key)
count('refused:' .. channel .. ':' .. reason)
if n == 1 then redis.call('PEXPIRE', key, 60000) end
if n <= 30 or n % 1000 == 0 then append('refused', 'channel', channel, 'reason', reason, 'status', status, 'n', n) end
return 0
