-- erasures: one look of a web host at who was erased. A host is a directory of spooled messages; `host` is its id, `name` what an operator knows
-- it by. `looked` is the time (ms of Redis TIME) up to which whatever was erased has been dropped there: each host confirms by it, and never
-- takes a later one back. One that ends with nothing on its disk (`gone`) needs no confirmation any more.
-- Answer: {now, who was erased since `since`, the first `most` of them: the ids of users and senders, each with when}.
-- args: host name looked# since# most# gone
local t = now()
if gone == '1' then
  redis.call('HDEL', K.hosts, host)
  return {whole(t)}
end
local before = tonumber(string.match(redis.call('HGET', K.hosts, host) or '', '^%d+') or '0')
redis.call('HSET', K.hosts, host, whole(math.max(before, looked)) .. ' ' .. whole(t) .. ' ' .. name)
return {whole(t), unpack(redis.call('ZRANGEBYSCORE', K.erasures, whole(since), '+inf', 'WITHSCORES', 'LIMIT', 0, most))}
