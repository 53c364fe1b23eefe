-- erase_memory: what a person asked us to remember, their lists, and the list of their conversations, go. The person's epoch is raised in the same step, so that whoever works
-- on what was said before stores nothing made of it any more. Answer: how many facts and items went.
-- uses: people effects facts lists
-- args: user
local person = redis.call('HGET', PEOPLE, user)
if not person then return 0 end
redis.call('HINCRBY', person_key(person), 'epoch', 1)
local n = #facts_of(person)
for _, list in ipairs(lists_of(person)) do
  n = n + redis.call('HLEN', items_key(person, list.id))
  redis.call('DEL', items_key(person, list.id))
end
redis.call('DEL', facts_key(person), lists_key(person))
redis.call('DEL', talks_key(person))
redis.call('DEL', K.copies .. person)
return n
