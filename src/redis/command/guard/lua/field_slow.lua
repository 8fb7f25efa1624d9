-- The way of an event that is late, only removes fields, is very large, or follows a tombstone or
-- mode "profile"; and of a new note whose id has the notes counted.
if is_written then
  limit_notes()
  if set_key_ttl then set_key_ttl() end
  return 1
end
local time = tonumber(text)
local newest, state = read_time(known)
local was_empty = is_empty(state)
if is_by_profile(state) then adopt(newest, state) end
local is_late, times = newest ~= nil and time < newest, {}
if is_late then
  local own_time = read_time(redis.call('HGET', key, note)) or -1
  local floor = read_time(redis.call('HGET', key, prefix .. ':floor')) or -1
  if time < own_time or time < floor then return 0 end
  times = read_notes((names_by_owner())).times
end
local words, set, drop = {}, {}, {}
for at = 2, last - 4, 2 do
  if time >= (times[ARGV[at]] or -1) then
    words[#words + 1], words[#words + 2] = ARGV[at], ARGV[at + 1]
    set[ARGV[at]] = true
  end
end
for at = last + 1, last + removed do
  if time >= (times[ARGV[at]] or -1) then drop[#drop + 1] = ARGV[at] end
end
local sets = next(set) ~= nil
if not sets and #drop == 0 then return 0 end
local newest_text = is_late and time_text(newest) or text
local mark = was_empty and not sets and ' empty' or ''
-- The note names all fields of the event: those that are newer have another note with their time.
for _, word in ipairs({note, text, prefix, newest_text .. mark}) do words[#words + 1] = word end
in_steps('HSET', words)
in_steps('HDEL', drop)
if redis.call('HEXISTS', key, note .. ':0') == 0 then
  local names = {}
  for at = 2, last - 4, 2 do names[#names + 1] = ARGV[at] end
  for at = last + 1, last + removed do names[#names + 1] = ARGV[at] end
  write_members(note, names)
  if known then limit_notes() end
end
expire(not is_late, set, was_empty, newest_text)
return 1
