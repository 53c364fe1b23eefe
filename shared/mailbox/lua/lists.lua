-- Lists of a person, such as a shopping list. `boss:lists:` has each list's head by its number, `boss:list:` its items by theirs (`2.14` is
-- item 14 of list 2); numbers are never given again. A name is one list, in whatever case it is written (`key`). Each change raises an
-- item's version: who changes one that is not any more what they saw is told what stands now, and nothing changes.
local MAX_LISTS, MAX_ITEMS, MAX_ITEM, MAX_LIST_NAME = 20, 200, 200, 40

local function lists_key(person) return K.lists .. person end
local function items_key(person, list) return K.items .. person .. ':' .. list end

-- The heads of a person's lists, in the order in which they were begun.
local function lists_of(person)
  local flat, lists = redis.call('HGETALL', lists_key(person)), {}
  for i = 1, #flat, 2 do
    if flat[i] ~= 'next' then lists[#lists + 1] = cjson.decode(flat[i + 1]) end
  end
  table.sort(lists, function(a, b) return tonumber(a.id) < tonumber(b.id) end)
  return lists
end

local function items_of(person, list)
  local flat, items = redis.call('HGETALL', items_key(person, list.id)), {}
  for i = 2, #flat, 2 do items[#items + 1] = cjson.decode(flat[i]) end
  table.sort(items, function(a, b) return a.number < b.number end)
  return items
end

local function list_named(lists, key)
  for _, list in ipairs(lists) do
    if list.key == key then return list end
  end
end

local function store_list(person, list) redis.call('HSET', lists_key(person), list.id, cjson.encode(list)) end

local function store_item(person, list, item)
  item.version = item.version + 1
  redis.call('HSET', items_key(person, list.id), item.id, cjson.encode(item))
end

local function told_item(list, item)
  return {list = list.name, id = item.id, text = item.text, done = item.done, version = item.version, at = item.at, marked = item.marked}
end

local function begun_list(context, args)
  local id = tostring(redis.call('HINCRBY', lists_key(context.person), 'next', 1))
  return {id = id, name = args.list, key = args.key, next = 0, at = context.t, marked = context.marked}
end

-- Why these items cannot be added, nil where they can; `new` is how many there would be more.
local function refused_items(args, lists, list, have, new)
  if characters(args.list) > MAX_LIST_NAME then return {ok = false, reason = 'name_too_long', most = MAX_LIST_NAME} end
  if not list and #lists >= MAX_LISTS then return {ok = false, reason = 'too_many_lists', most = MAX_LISTS} end
  for _, each in ipairs(args.items) do
    if characters(each.text) > MAX_ITEM then return {ok = false, reason = 'item_too_long', most = MAX_ITEM} end
  end
  if have + new > MAX_ITEMS then return {ok = false, reason = 'too_many_items', most = MAX_ITEMS, have = have} end
end

-- All of these or none. What stands there already is not added twice; what was checked off is open again.
EFFECTS.list_add = function(context, args)
  local person, lists = context.person, lists_of(context.person)
  local list, by_key, have, new = list_named(lists, args.key), {}, 0, 0
  for _, item in ipairs(list and items_of(person, list) or {}) do
    by_key[item.key], have = item, have + 1
  end
  for _, each in ipairs(args.items) do
    if not by_key[each.key] then new = new + 1 end
  end
  local refusal = refused_items(args, lists, list, have, new)
  if refusal then return refusal end
  list = list or begun_list(context, args)
  local added, already = {}, {}
  for _, each in ipairs(args.items) do
    local item = by_key[each.key]
    if item and not item.done then
      already[#already + 1] = told_item(list, item)
    else
      if not item then
        list.next = list.next + 1
        item = {id = list.id .. '.' .. list.next, number = list.next, text = each.text, key = each.key, at = context.t, channel = context.channel,
          marked = context.marked, version = 0}
        by_key[each.key] = item
      end
      item.done = false
      store_item(person, list, item)
      added[#added + 1] = told_item(list, item)
    end
  end
  store_list(person, list)
  return {ok = true, list = list.name, added = added, already = already, count = have + new}
end

-- The items that the model named, or why nothing is changed.
local function chosen_items(person, wanted)
  local found = {}
  for _, each in ipairs(wanted) do
    local number = string.match(each.id, '^(%d+)%.%d+$')
    local head = number and redis.call('HGET', lists_key(person), number)
    local item = head and redis.call('HGET', items_key(person, number), each.id)
    if not item then return nil, {ok = false, reason = 'unknown_id', id = each.id} end
    local list = cjson.decode(head)
    item = cjson.decode(item)
    if each.version and each.version ~= item.version then return nil, {ok = false, reason = 'changed', stands = told_item(list, item)} end
    found[#found + 1] = {list = list, item = item}
  end
  return found
end

EFFECTS.list_check = function(context, args)
  local found, refusal = chosen_items(context.person, args.items)
  if refusal then return refusal end
  local changed, already = {}, {}
  for _, each in ipairs(found) do
    if each.item.done == args.done then
      already[#already + 1] = told_item(each.list, each.item)
    else
      each.item.done = args.done
      store_item(context.person, each.list, each.item)
      changed[#changed + 1] = told_item(each.list, each.item)
    end
  end
  return {ok = true, changed = changed, already = already, done = args.done}
end

-- A list goes with its last item.
EFFECTS.list_remove = function(context, args)
  local found, refusal = chosen_items(context.person, args.items)
  if refusal then return refusal end
  local removed = {}
  for _, each in ipairs(found) do
    redis.call('HDEL', items_key(context.person, each.list.id), each.item.id)
    if redis.call('EXISTS', items_key(context.person, each.list.id)) == 0 then redis.call('HDEL', lists_key(context.person), each.list.id) end
    removed[#removed + 1] = told_item(each.list, each.item)
  end
  return {ok = true, removed = removed}
end

-- One list with its items, or, without a name, all lists with how much is open on each.
EFFECTS.list_show = function(context, args)
  local person, lists = context.person, lists_of(context.person)
  if args.key == '' then
    local heads = {}
    for _, list in ipairs(lists) do
      local open, all = 0, items_of(person, list)
      for _, item in ipairs(all) do
        if not item.done then open = open + 1 end
      end
      heads[#heads + 1] = {list = list.name, open = open, count = #all, marked = list.marked}
    end
    return {ok = true, lists = heads}
  end
  local list = list_named(lists, args.key)
  if not list then return {ok = false, reason = 'unknown_list', list = args.list} end
  local items = {}
  for _, item in ipairs(items_of(person, list)) do items[#items + 1] = told_item(list, item) end
  local shown, rest = shown_from(items, args.offset)
  return {ok = true, list = list.name, items = shown, count = #items, next = rest}
end
