-- The way of an event that is late, only removes fields, is very large, or follows a tombstone or
-- mode "field", or replaces a profile of other fields.
local newest, state = read_time(known)
if newest and tonumber(string.sub(text, 1, 13)) < newest then return 0 end
local was_empty = is_empty(state)
local words, set, keep, drop = {}, {}, {[prefix] = true}, {}
for at = 2, last - 2, 2 do
  words[#words + 1], words[#words + 2] = ARGV[at], ARGV[at + 1]
  set[ARGV[at]] = true
  keep[ARGV[at]] = true
end
local sets = next(set) ~= nil
words[#words + 1], words[#words + 2] = prefix, text .. (was_empty and not sets and ' empty' or '')
in_steps('HSET', words)
for at = last + 1, last + removed do drop[#drop + 1] = ARGV[at] end
if replace ~= '' or newest and not is_by_profile(state) then
  -- The notes of mode "field" go, too.
  local own, data = names_by_owner()
  for _, name in ipairs(own) do
    if not keep[name] then drop[#drop + 1] = name end
  end
  for _, name in ipairs(replace ~= '' and data or {}) do
    if not keep[name] then drop[#drop + 1] = name end
  end
end
in_steps('HDEL', drop)
expire(true, set, was_empty, text)
return 1
