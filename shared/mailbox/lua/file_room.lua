-- file_room: room for the files of a mail that is about to be accepted, for an hour; `accept` names them, and they are kept longer.
-- The files of a mail that was accepted before are not stored again ("known"). What is over is taken out first: its room is free without
-- anybody having looked for it. All files together take `most` bytes at most, and with them the server no more than `percent` of what it
-- may hold. A file counts for `least` bytes at least, so that there are never so many that this script takes long.
-- A worker keeps files for a turn of its own: under the lease that it has (`conv`, `token`; "" for a mail that comes in), and for none that
-- was broken.
-- Answer: {"known"}, or "ok" or "no_room" for each file.
-- uses: memory
-- args: id user conv token most# percent# least# life# files...
local WEEK = 604800000
local t = now()
if redis.call('EXISTS', K.seen .. id, msg_key(id)) > 0 then return {'known'} end
if token ~= '' and get(conv_key(conv), 'token') ~= token then return {'no_room'} end

local taken, has, held = 0, {}, redis.call('HGETALL', K.files)
for i = 1, #held, 2 do
  local name, entry = held[i], read_file_entry(held[i + 1])
  if entry.at <= t then
    drop_file(name)
  else
    local at = capped(entry.at, WEEK, t, 'file')
    if at ~= entry.at then keep_file(name, entry, at, t) end
    taken, has[name] = taken + entry.room, true
  end
end

local verdicts, memory = {}, memory_left(percent)
for i = files, #ARGV, 2 do
  local name, room = ARGV[i], math.max(least, tonumber(ARGV[i + 1]))
  local fits = has[name] or (taken + room <= most and room <= memory)
  if fits and not has[name] then
    keep_file(name, {room = room, user = user}, t + life, t)
    taken, memory, has[name] = taken + room, memory - room, true
  end
  verdicts[#verdicts + 1] = fits and 'ok' or 'no_room'
end
return verdicts
