-- Mode "field".
local newest, state = read_time(redis.call('HGET', key, prefix))
if everything and newest and newest > time then time = newest end
local own, data = names_by_owner()
local floor = time_text(time + 1)
if not newest or newest <= time then
  redis.call('DEL', key)
  redis.call('HSET', key, prefix, floor .. ' empty', prefix .. ':floor', floor)
  expire_tombstone(tombstone)
  return #data > 0 and 2 or 1
end
if is_by_profile(state) then
  adopt(newest, state)
  own, data = names_by_owner()
end
local notes = read_notes(own)
local gone, drop, left = {}, {}, 0
for _, name in ipairs(data) do
  if (notes.times[name] or -1) <= time then
    gone[#gone + 1] = name
  else
    left = left + 1
  end
end
for name, noted in pairs(notes.single) do
  if noted <= time then drop[#drop + 1] = prefix .. ':=' .. name end
end
for _, set in pairs(notes.sets) do
  for _, field in ipairs(set.time <= time and set.fields or {}) do drop[#drop + 1] = field end
end
in_steps('HDEL', gone)
in_steps('HDEL', drop)
local is_newest = notes.floor <= time + 1
if is_newest then redis.call('HSET', key, prefix .. ':floor', floor) end
if left == 0 and (is_newest or #gone > 0) then
  redis.call('HSET', key, prefix, time_text(newest) .. ' empty')
  expire_tombstone(tombstone)
end
if #gone > 0 then return 2 end
return is_newest and 1 or 0
