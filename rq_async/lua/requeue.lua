-- Undoes `dequeue.lua` for jobs that were not begun: they stand at the queue's head again, in their order, as queued.
--
-- Can be repeated: an execution that is not among the worker's executions any more is skipped.
--
-- KEYS: 1 the queue, 2 the worker, 3 the worker's executions
-- ARGV: 1 prefix of jobs' keys, 2 RQ's prefix, 3 the worker's state when nothing runs,
--       then for each job its id, its execution's id and its started registry
-- From the last to the first: each is pushed to the head, and the first shall stand there.
for i = #ARGV - 2, 4, -3 do
    local id, execution = ARGV[i], ARGV[i + 1]
    local composite, job = id .. ':' .. execution, ARGV[1] .. id
    if redis.call('SREM', KEYS[3], composite) == 1 then
        redis.call('DEL', ARGV[2] .. ':execution:' .. composite)
        redis.call('ZREM', ARGV[2] .. ':executions:' .. id, execution)
        redis.call('ZREM', ARGV[i + 2], composite)
        if redis.call('EXISTS', job) == 1 then
            redis.call('HSET', job, 'status', 'queued', 'started_at', '', 'worker_name', '')
            local ttl = tonumber(redis.call('HGET', job, 'ttl') or 0) or 0
            if ttl > 0 then
                redis.call('EXPIRE', job, ttl)
            end
            redis.call('LPUSH', KEYS[1], id)
        end
    end
end
local running = redis.call('SCARD', KEYS[3])
if running == 0 then
    redis.call('HSET', KEYS[2], 'state', ARGV[3])
end
return running
