-- Dequeues jobs from the queue's head and marks each as started: the records of RQ's prepare_execution and prepare_job_execution.
--
-- An id that BLMOVE moved to the intermediate list comes first. While RQ is suspended, or without room, that id is put back at
-- the queue's head. Ids without a job, and ids that RQ would reject, are dropped.
--
-- Can be repeated: the worker's record keeps the nonce and the job ids of the last call that dequeued anything. A call with that
-- nonce dequeues nothing more; it answers the same jobs again, because the first answer was lost.
--
-- KEYS: 1 the queue, 2 its intermediate list, 3 the worker, 4 the worker's executions, 5 RQ's suspension
-- ARGV: 1 how many jobs at most, 2 nonce, 3 the moved id or '', 4 prefix of jobs' keys, 5 RQ's prefix, 6 prefix of started
--       registries, 7 the queue's name, 8 the worker's name, 9 now as RQ writes it, 10 now in unix seconds,
--       11 job_monitoring_interval in seconds
-- Answers {1 when suspended, how many jobs wait, {{job id, execution id, {field, value, ...}}, ...}}
local queue, holding, worker, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local nonce, moved, jobs, prefix, name, moment, time = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[8], ARGV[9], ARGV[10]
local now, interval = math.floor(tonumber(time)), tonumber(ARGV[11])
local suspended = redis.call('EXISTS', KEYS[5])

local function execution_of(place, id)
    return string.sub(redis.sha1hex(nonce .. ' ' .. place .. ' ' .. id), 1, 32)
end

local function record_of(id)
    return string.find(id, '^[%w_-]+$') and redis.call('HGETALL', jobs .. id) or {}
end

-- A repeated call. A job that has ended, or lost its execution, is left out: somebody has dealt with it since.
local taken = redis.call('HGET', worker, 'taken')
if taken and string.sub(taken, 1, #nonce + 1) == nonce .. ' ' then
    local again, place = {}, 0
    for id in string.gmatch(string.sub(taken, #nonce + 2), '%S+') do
        place = place + 1
        local execution, record = execution_of(place, id), record_of(id)
        if #record > 0 and redis.call('SISMEMBER', index, id .. ':' .. execution) == 1 then
            again[#again + 1] = {id, execution, record}
        end
    end
    return {suspended, redis.call('LLEN', queue), again}
end

local room = suspended == 1 and 0 or tonumber(ARGV[1])
local ids = {}
-- LREM answers 0 when RQ's clean-up has dealt with the moved id meanwhile: then the job is not this worker's.
if moved ~= '' and redis.call('LREM', holding, 1, moved) == 1 then
    if room == 0 then
        redis.call('LPUSH', queue, moved)
    else
        ids[1] = moved
    end
end
if room > #ids then
    for _, id in ipairs(redis.call('LPOP', queue, room - #ids) or {}) do
        ids[#ids + 1] = id
    end
end

local function field_of(record, name)
    for i = 1, #record, 2 do
        if record[i] == name then
            return record[i + 1]
        end
    end
    return ''
end

-- BaseWorker.get_heartbeat_ttl for a job that begins now
local function seconds_to_live(record)
    local limit = tonumber(string.match(field_of(record, 'timeout'), '^%-?%d+$')) or 0
    return math.floor(limit > 0 and math.min(limit, interval) or interval) + 60
end

local function start(id, execution, record, ttl)
    local composite, origin = id .. ':' .. execution, field_of(record, 'origin')
    local key, executions = prefix .. ':execution:' .. composite, prefix .. ':executions:' .. id
    redis.call('HSET', key, 'id', execution, 'job_id', id, 'created_at', time, 'last_heartbeat', time, 'worker_name', name)
    redis.call('EXPIRE', key, ttl)
    redis.call('ZADD', executions, now + ttl + 60, execution)
    redis.call('EXPIRE', executions, ttl + 60)
    redis.call('ZADD', ARGV[6] .. (origin ~= '' and origin or ARGV[7]), now + ttl, composite)
    redis.call('SADD', index, composite)
    redis.call('HSET', jobs .. id, 'last_heartbeat', moment, 'status', 'started', 'started_at', moment, 'worker_name', name)
    redis.call('PERSIST', jobs .. id)
end

local answer, known, longest = {}, {nonce}, 0
for _, id in ipairs(ids) do
    local record = record_of(id)
    if #record > 0 then
        local execution, ttl = execution_of(#answer + 1, id), seconds_to_live(record)
        start(id, execution, record, ttl)
        longest = math.max(longest, ttl)
        answer[#answer + 1] = {id, execution, record}
        known[#known + 1] = id
    end
end
if #answer > 0 then
    redis.call('EXPIRE', index, longest + 60)
    redis.call('HSET', worker, 'state', 'busy', 'taken', table.concat(known, ' '))
end
return {suspended, redis.call('LLEN', queue), answer}
