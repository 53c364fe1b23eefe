-- serve_retry: the word of who serves a request. With a `result` the request ends, and nothing was retried; without one it is this
-- caller's for `hold` ms more, 0 for one that ends and leaves it to the next. Answer: 1 while the request is still to be served.
-- uses: requests
-- args: operation result detail hold#
local key, t = request_key(operation), now()
if not redis.call('ZSCORE', RETRIES, operation) then return 0 end
if result == '' then
  redis.call('ZADD', RETRIES, whole(t + hold), operation)
  if hold == 0 then redis.call('HINCRBY', key, 'tries', -1) end  -- who is told to end has not failed at it
  return 1
end
if end_request(operation, result, detail, t) then
  append('retry_failed', 'conv', get(msg_key(get(key, 'id')), 'conv'), 'msg', get(key, 'id'), 'by', get(key, 'by'), 'reason', result)
end
return 0
