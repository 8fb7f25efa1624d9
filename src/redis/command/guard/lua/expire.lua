-- Sets the TTLs after a write. `set`: the names of the fields that were set. `was_empty`: the key
-- has the TTL of a tombstone. `newest`: the text of `_ts`.
local function expire(in_order, set, was_empty, newest)
  local at, sets = last + removed + 1, next(set) ~= nil
  for _ = 1, groups do
    local ttl, names_to, names = ARGV[at], at + 1 + ARGV[at + 1], {}
    for name = at + 2, names_to do
      if set[ARGV[name]] then names[#names + 1] = ARGV[name] end
    end
    for first = 1, #names, STEP do
      local part = {unpack(names, first, math.min(first + STEP - 1, #names))}
      redis.call('HPEXPIRE', key, ttl, 'FIELDS', #part, unpack(part))
    end
    at = names_to + 1
  end
  if was_empty and not sets then return end
  if was_empty then redis.call('PERSIST', key) end
  if set_key_ttl and (in_order or was_empty) then
    set_key_ttl()
  elseif not sets and tombstone > 0 and redis.call('PTTL', key) == -1 then
    local _, data = names_by_owner()
    if #data == 0 then
      redis.call('HSET', key, prefix, newest .. ' empty')
      redis.call('PEXPIRE', key, tombstone)
    end
  end
end
