-- heartbeat: a worker process lives; its sign counts for `life` ms. A lost lease that was counted because it was silent is taken back.
-- Answer: the other processes that are known under `place` (their names begin with it), for the caller to ask its host whether they exist.
-- uses: liveness
-- args: process life# place
local t = now()
look(t, life)
know_server(t, life)
give_sign(process, life, t)
take_back(process)
local beside = {}
if place ~= '' then
  local all = redis.call('HGETALL', PROCESSES)
  for i = 1, #all, 2 do
    local name = all[i]
    if name ~= process and string.sub(name, 1, #place) == place then beside[#beside + 1] = name end
  end
end
return beside
