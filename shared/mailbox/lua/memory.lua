-- How many bytes may still be written before the server holds `percent` of what it may hold; endless for a server without a bound.
local function memory_left(percent)
  local info = redis.call('INFO', 'memory')
  local most = tonumber(string.match(info, '\nmaxmemory:(%d+)') or '0')
  if most == 0 then return math.huge end
  return most * percent / 100 - tonumber(string.match(info, 'used_memory:(%d+)'))
end
