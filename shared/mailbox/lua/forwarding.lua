-- Forwarding addresses: anybody may write there, and one person is told of it. Of the mails to one, `most` a day of the server's clock are
-- answered, and `each` of one author's. They count in that address's own budget and in no other bound of turns, so that they use up nothing
-- of what the person may write. What comes beyond is withheld: kept without a turn, and named in a digest. That is a notice in a
-- conversation of its own, one a day and address, begun with its first mail and due when the day ends: so it is served once, by whom and
-- after whatever crash. `mail` is what `ForwardingBounds.argument` spells.

local FORWARDING_DAY = 86400000
-- Of one digest: mails that are named and have records; bytes of their texts. The others are counted, for strangers fill nothing.
local MOST_NAMED, MOST_BYTES = 100, 2000000
-- Days that are looked through for a digest that nobody has begun to send.
local DAYS_AHEAD = 7

local function budget_key(sender) return K.forwarded .. sender end

-- A budget of a day that lies ahead is used on: TIME has stepped back since, and a day's budget is given once.
local function is_new_day(sender, t) return number(budget_key(sender), 'day') < math.floor(t / FORWARDING_DAY) end

local function within_budget(sender, mail, t)
  if is_new_day(sender, t) then return mail.most > 0 end
  local key = budget_key(sender)
  return number(key, 'turns') < mail.most and number(key, 'of:' .. mail.author) < mail.each
end

local function count_in_budget(sender, mail, t)
  local key = budget_key(sender)
  if is_new_day(sender, t) then
    redis.call('DEL', key)
    redis.call('HSET', key, 'day', whole(math.floor(t / FORWARDING_DAY)))
  end
  redis.call('HINCRBY', key, 'turns', 1)
  redis.call('HINCRBY', key, 'of:' .. mail.author, 1)
  redis.call('PEXPIRE', key, FORWARDING_DAY)
end

-- The conversation of the digest for a mail that comes now, and when it is due: today's. Where that is on its way, which TIME must have
-- stepped back for, it says nothing of this mail any more, and the next day's does.
local function digest_of(mail, t)
  local day, conv = math.floor(t / FORWARDING_DAY)
  for each = day, day + DAYS_AHEAD do
    conv, day = 'c-' .. string.sub(redis.sha1hex(mail.digest .. ' ' .. whole(each)), 1, 24), each
    local state = get(msg_key('n-' .. string.sub(conv, 3)), 'state')
    if state == '' or state == 'pending' then break end
  end
  return conv, (day + 1) * FORWARDING_DAY
end

-- Name a mail in its digest. Answer: the digest's conversation, how many it is of, and whether there is room for this one's text.
local function withhold(mail, channel, pair, sender, user, size, t)
  local conv, due = digest_of(mail, t)
  local notice = 'n-' .. string.sub(conv, 3)
  local key = msg_key(notice)
  if redis.call('EXISTS', key) == 0 then
    redis.call('HSET', conv_key(conv), 'channel', channel, 'pair', pair, 'sender', sender)
    write_notice(conv, notice, 'forwarding_digest', mail.notice, user, t)
    redis.call('HSET', key, 'active_at', whole(active(t, pair) + due - t))  -- until it is due it does not age
    into_inbox(conv, notice, due - t, t)
    redis.call('ZADD', OPEN, whole(due), notice)  -- nor does it wait
  end
  local n = redis.call('HINCRBY', key, 'withheld', 1)
  if n > MOST_NAMED then return conv, n, false end
  redis.call('HSET', key, 'named', get(key, 'named') .. mail.line .. '\n')
  return conv, n, redis.call('HINCRBY', key, 'bytes', size) <= MOST_BYTES
end
