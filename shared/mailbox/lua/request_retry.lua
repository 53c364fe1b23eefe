-- request_retry: an operator wants a parked message answered after all. Pending attempts of its old reply are looked up at the provider
-- first, which only a worker can do: the request stays until a worker's sweep has served it, once. Its result is kept for a day, for
-- whoever waits. The same when repeated, also after it was served. Answer: {result or "", detail}.
-- uses: requests
-- args: id operation by
local key, t = request_key(operation), now()
if get(key, 'id') == '' then
  local state = get(msg_key(id), 'state')
  redis.call('HSET', key, 'id', id, 'by', by, 'at', whole(t))
  if state == 'parked' then
    redis.call('ZADD', RETRIES, whole(t), operation)
    redis.call('HSET', msg_key(id), 'request', operation)
    append('retry_requested', 'conv', get(msg_key(id), 'conv'), 'msg', id, 'by', by)
  else
    end_request(operation, state == '' and 'unknown' or 'not_parked', state, t)
  end
end
return {get(key, 'result'), get(key, 'detail')}
