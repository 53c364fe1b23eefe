-- erase_files: all files of one user go, also those of a mail that was never accepted. Answer: how many there were.
-- args: user
local n, held = 0, redis.call('HGETALL', FILES)
for i = 1, #held, 2 do
  if read_file_entry(held[i + 1]).user == user then
    drop_file(held[i])
    n = n + 1
  end
end
return n
