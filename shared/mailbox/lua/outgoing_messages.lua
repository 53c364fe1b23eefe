-- Messages that a program, or the operator, has the Boss write (`outgoing`). One that quiet hours hold back waits in `ALARMS` beside the
-- reminders, under its own id, and in no inbox; `due` is when it is to be looked at.
local Outgoing = {}

function Outgoing.is(id) return string.sub(id, 1, 2) == 'm-' end

-- Until when it is quiet now, nil where it is not. `quiet` are spans of ms, each `from-until`.
function Outgoing.quiet_until(quiet, t)
  for from, till in string.gmatch(quiet, '(%d+)-(%d+)') do
    if tonumber(from) <= t and t < tonumber(till) then return tonumber(till) end
  end
end

-- It waits for the end of the quiet hours, or for its own, whichever comes first; until then it is late for nobody.
function Outgoing.hold(id, till, t)
  local due = math.min(till, number(msg_key(id), 'expires_at'))
  redis.call('HSET', msg_key(id), 'due', whole(due))
  redis.call('ZADD', ALARMS, whole(due), id)
  redis.call('ZREM', ALARMS_READ, id)
  redis.call('ZADD', OPEN, whole(due), id)
  append('outgoing_held', 'msg', id, 'ms', whole(due - t))
end

function Outgoing.put(id, conv, t)
  drop_alarm(id)
  into_priority(conv, id, t)
end

-- It ends without having been in a turn.
function Outgoing.refuse(id, reason, kept, t)
  drop_alarm(id)
  redis.call('ZREM', OPEN, id)
  redis.call('HSET', msg_key(id), 'state', 'ignored', 'reason', reason, 'done_at', whole(t))
  redis.call('PEXPIRE', msg_key(id), whole(kept))
  count('ignored:' .. reason)
  append('ignored', 'conv', get(msg_key(id), 'conv'), 'msg', id, 'channel', get(msg_key(id), 'channel'), 'reason', reason)
end
