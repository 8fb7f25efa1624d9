-- The notes of mode "field". They use `key` and `prefix`.
-- The most sets of fields with a note of their own.
local MAX_SETS = 8
-- The most notes of single fields that are not in the hash.
local MAX_GONE = 512

-- Appends the names of one piece of a list.
local function add_members(members, list)
  for name in string.gmatch(list or '', '([^,]*),') do
    if string.find(name, '%', 1, true) then
      name = string.gsub(name, '%%(2%w)', {['2C'] = ',', ['25'] = '%'})
    end
    members[#members + 1] = name
  end
end

-- The values of the guard's own fields, in the order of `own`.
local function read_own(own)
  local values = {}
  for first = 1, #own, STEP do
    local stop = math.min(first + STEP - 1, #own)
    for _, value in ipairs(redis.call('HMGET', key, unpack(own, first, stop))) do
      values[#values + 1] = value
    end
  end
  return values
end

-- All notes: `sets` by id, `single` times by name, the `floor`; and `times`: the newest time for
-- each name that any note has.
local function read_notes(own)
  local sets, single, floor, times = {}, {}, -1, {}
  for at, value in ipairs(read_own(own)) do
    local rest = string.sub(own[at], #prefix + 2)
    if rest == 'floor' then
      floor = read_time(value) or -1
    elseif string.sub(rest, 1, 1) == '=' then
      single[string.sub(rest, 2)] = read_time(value) or -1
    elseif own[at] ~= prefix then
      local id = string.match(rest, '^(.-):%d+$') or rest
      local set = sets[id] or {fields = {}, members = {}, time = -1}
      sets[id] = set
      set.fields[#set.fields + 1] = own[at]
      if id == rest then
        set.time = read_time(value) or -1
      else
        add_members(set.members, value)
      end
    end
  end
  local function note(name, time)
    if time > (times[name] or -1) then times[name] = time end
  end
  for name, time in pairs(single) do note(name, time) end
  for _, set in pairs(sets) do
    for _, name in ipairs(set.members) do note(name, set.time) end
  end
  return {sets = sets, single = single, floor = floor, times = times}
end

-- Drops notes when there are too many sets of fields. The newest sets stay. Of the others only the
-- times of names that no newer note has stay, each in a note of its own.
local function limit_notes()
  local own, data = names_by_owner()
  local count = 0
  for _, name in ipairs(own) do
    if string.match(name, '^[^:=]+$', #prefix + 2) then count = count + 1 end
  end
  if count <= MAX_SETS then return end
  local notes = read_notes(own)
  local order, kept, is_data = {}, {}, {}
  for _, set in pairs(notes.sets) do order[#order + 1] = set end
  table.sort(order, function(a, b) return a.time > b.time end)
  for _, name in ipairs(data) do is_data[name] = true end
  local single, floor, words, drop = notes.single, notes.floor, {}, {}
  for place, set in ipairs(order) do
    for _, name in ipairs(set.members) do
      if place <= MAX_SETS / 2 then
        kept[name] = math.max(kept[name] or -1, set.time)
      elseif set.time > (single[name] or -1) and not kept[name] then
        single[name] = set.time
        words[#words + 1] = name
      end
    end
    if place > MAX_SETS / 2 then
      for _, field in ipairs(set.fields) do drop[#drop + 1] = field end
    end
  end
  local gone, useless = {}, {}
  for name, time in pairs(single) do
    if time <= (kept[name] or -2) or not is_data[name] and time <= floor then
      useless[name] = true
    elseif not is_data[name] then
      gone[#gone + 1] = {name = name, time = time}
    end
  end
  local changed = {}
  if #gone > MAX_GONE then
    -- The newest stay. What is older than the others is no longer taken.
    table.sort(gone, function(a, b) return a.time < b.time end)
    floor = gone[#gone - MAX_GONE / 2].time
    for _, field in ipairs(gone) do
      if field.time <= floor then useless[field.name] = true end
    end
    changed = {prefix .. ':floor', time_text(floor)}
  end
  for _, name in ipairs(words) do
    if not useless[name] then
      changed[#changed + 1] = prefix .. ':=' .. name
      changed[#changed + 1] = time_text(single[name])
    end
  end
  for name in pairs(useless) do drop[#drop + 1] = prefix .. ':=' .. name end
  in_steps('HSET', changed)
  in_steps('HDEL', drop)
end

-- The profile was last written in mode "profile": all its fields count as written then, and nothing
-- older is taken.
local function adopt(newest, state)
  local _, data = names_by_owner()
  local time = time_text(newest)
  local mark = is_empty(state) and ' empty' or ''
  redis.call('HSET', key, prefix, time .. mark, prefix .. ':floor', time)
  if #data > 0 then
    redis.call('HSET', key, prefix .. ':profile', time)
    write_members(prefix .. ':profile', data)
  end
end
