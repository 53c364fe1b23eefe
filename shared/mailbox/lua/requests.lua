-- Requests of an operator for a retry, which a worker's sweep serves: `RETRIES` holds those that are not served yet, by when somebody
-- should take them on; a request's own record says who asked, and what came of it.

local RETRIES = K.retries
local RESULT_KEPT, MOST_TRIES = 86400000, 5
local function request_key(operation) return K.retry .. operation end

-- A caller of `retry` that made no request has no record.
local function end_request(operation, result, detail, t)
  local key = request_key(operation)
  redis.call('ZREM', RETRIES, operation)
  if get(key, 'id') == '' then return false end
  redis.call('HSET', key, 'result', result, 'detail', detail, 'ended_at', whole(t))
  redis.call('PEXPIRE', key, RESULT_KEPT)
  return true
end

-- Requests to serve now, oldest first, at most `most`: each is this caller's for `hold` ms, then anybody's again, since the caller may die.
-- Further ahead than that, TIME has stepped back since. One that several callers did not come to the end of kills them, perhaps.
local function requests_to_serve(most, hold, t)
  local found = {}
  if most <= 0 then return found end
  for _, operation in ipairs(redis.call('ZRANGEBYSCORE', RETRIES, '(' .. whole(t + hold), '+inf', 'LIMIT', 0, 20)) do
    redis.call('ZADD', RETRIES, whole(t), operation)
  end
  for _, operation in ipairs(redis.call('ZRANGEBYSCORE', RETRIES, '-inf', whole(t), 'LIMIT', 0, most)) do
    local key = request_key(operation)
    if redis.call('HINCRBY', key, 'tries', 1) > MOST_TRIES then
      end_request(operation, 'failed', 'too_many_tries', t)
    else
      redis.call('HSET', key, 'taken_at', whole(t))
      redis.call('ZADD', RETRIES, whole(t + hold), operation)
      found[#found + 1] = {operation, get(key, 'id'), get(key, 'by')}
    end
  end
  return found
end
