-- mark_erased: messages of an erased person's that waited on a web host's disk are known from now on, as if they had been accepted: neither
-- their provider nor the reconciler brings them back. `items` are {id, how long it is known (ms), its files' keys}; the files go. Answer: how many.
-- args: items
local told = cjson.decode(items)
for _, item in ipairs(told) do
  redis.call('SET', K.seen .. item[1], '1', 'NX', 'PX', item[2])
  drop_files(item[3])
  append('ignored', 'msg', item[1], 'reason', 'erased')
end
return #told
