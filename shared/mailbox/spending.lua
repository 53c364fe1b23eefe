-- What answering costs: tokens and turns in each day of the server's clock; `store_reply` counts, `claim` looks.

local DAY = 86400000
local function spent_key(t) return P .. 'spent:' .. whole(math.floor(t / DAY)) end

local function spend(tokens, t)
  redis.call('HINCRBY', spent_key(t), 'tokens', tokens)
  redis.call('HINCRBY', spent_key(t), 'turns', 1)
  redis.call('PEXPIRE', spent_key(t), 2 * DAY)
end

-- Whether this day's share is used up (0: no bound); the first to find it so writes the alarm's line.
local function spent(tokens, turns, t)
  local key = spent_key(t)
  if not (tokens > 0 and number(key, 'tokens') >= tokens or turns > 0 and number(key, 'turns') >= turns) then return '' end
  if redis.call('HSETNX', key, 'stopped_at', whole(t)) == 0 then return 'spent' end
  append('spend_stop', 'tokens', get(key, 'tokens'), 'turns', get(key, 'turns'))
  return 'spend_stop'
end
