-- Records that an ordinary job returned: the records of RQ's handle_job_success, in one step.
--
-- A job with dependents, or without a record, is not ordinary and is left to RQ's own code. Only the script can decide that:
-- a dependent may be enqueued at any moment until it runs.
--
-- Can be repeated: an execution whose result is there, and that is not among the worker's executions any more, is not counted again.
--
-- KEYS: 1 the job, 2 its dependents, 3 its dependencies, 4 its results, 5 its executions, 6 the execution,
--       7 started registry, 8 finished registry, 9 the worker, 10 the worker's executions
-- ARGV: 1 job id, 2 execution id, 3 seconds to keep the result (0: delete the job, below 0: keep it for ever), 4 the end as RQ writes it,
--       5 score in the finished registry, 6 seconds worked, 7 the worker's state when nothing runs, 8 prefix of executions' keys,
--       9... the result's fields and values
-- Answers {1 recorded or 0 not ordinary, how many executions the worker still has}
local job, results, executions, started, worker, index = KEYS[1], KEYS[4], KEYS[5], KEYS[7], KEYS[9], KEYS[10]
local id, execution, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local composite = id .. ':' .. execution

local function has_result()
    for _, entry in ipairs(redis.call('XREVRANGE', results, '+', '-')) do
        for i = 1, #entry[2], 2 do
            if entry[2][i] == 'execution_id' and entry[2][i + 1] == execution then
                return true
            end
        end
    end
    return ttl == 0 and redis.call('EXISTS', job) == 0
end

-- Both must hold: the worker's executions expire in a long outage, and then a first call finds none either.
if redis.call('SISMEMBER', index, composite) == 0 and has_result() then
    return {1, redis.call('SCARD', index)}
end
if redis.call('EXISTS', job) == 0 or redis.call('EXISTS', KEYS[2]) == 1 then
    return {0, 0}
end

redis.call('HINCRBY', worker, 'successful_job_count', 1)
redis.call('HINCRBYFLOAT', worker, 'total_working_time', ARGV[6])
if ttl == 0 then
    for _, other in ipairs(redis.call('ZRANGE', executions, 0, -1)) do
        redis.call('DEL', ARGV[8] .. id .. ':' .. other)
        redis.call('ZREM', started, id .. ':' .. other)
    end
    redis.call('DEL', job, KEYS[3], results, executions)
else
    redis.call('HSET', job, 'status', 'finished', 'ended_at', ARGV[4], 'last_heartbeat', ARGV[4])
    redis.call('XADD', results, 'MAXLEN', '~', 10, '*', unpack(ARGV, 9))
    redis.call('ZADD', KEYS[8], ARGV[5], id)
    if ttl > 0 then
        redis.call('EXPIRE', results, ttl)
        redis.call('EXPIRE', job, ttl)
        redis.call('EXPIRE', KEYS[3], ttl)
    else
        redis.call('PERSIST', results)
    end
end
redis.call('DEL', KEYS[6])
redis.call('ZREM', started, composite)
redis.call('ZREM', executions, execution)
redis.call('SREM', index, composite)
local running = redis.call('SCARD', index)
if running == 0 then
    redis.call('HSET', worker, 'state', ARGV[7])
end
return {1, running}
