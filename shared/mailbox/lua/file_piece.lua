-- file_piece: one piece of a file for which there is room; a piece that is sent twice stands there once. It lives as long as its file,
-- and none is written for a file that is over or was erased: nothing lies where nobody counts it.
-- Answer: "ok", "gone", or "no_room" where the server would hold more than `percent` of what it may; then the file goes, unless a message
-- has it already.
-- uses: memory
-- args: name number percent# life# piece
local t, entry = now(), file_entry(name)
if not entry or entry.at <= t then return 'gone' end
if memory_left(percent) < #piece then
  if entry.at <= t + life then drop_file(name) end
  return 'no_room'
end
redis.call('HSET', K.file .. name, number, piece)
keep_file(name, entry, entry.at, t)
return 'ok'
