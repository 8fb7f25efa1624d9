-- What an event brings beside its fields. The options are the text "W R G C M O T mode": words up to
-- the last pair; names to remove, which follow; groups of fields with a TTL, which follow (TTL,
-- number, names); the command for the key's TTL or `none`, its milliseconds, 1: only once; the TTL
-- of a tombstone; `merge` or `replace`.
local function read_options()
  local _, removed, groups, command, ms, once, tombstone, mode =
    string.match(ARGV[1], '^(%d+) (%d+) (%d+) (%a+) (%d+) (%d) (%d+) (%a+)$')
  local first = last + 1
  removed = tonumber(removed or 0)
  return {
    removed_from = first, removed_to = first + removed - 1,
    groups_from = first + removed, groups = tonumber(groups or 0),
    command = command or 'none', ms = ms, once = once == '1',
    tombstone = tonumber(tombstone or 0),
    replace = mode == 'replace' or ARGV[1] == 'replace',
  }
end

-- Sets the TTLs after a write. `set`: the names of the fields that were set. `was_empty`: the key
-- has the TTL of a tombstone. `newest`: the text of `_ts`.
local function expire(options, in_order, set, was_empty, newest)
  local at, sets = options.groups_from, next(set) ~= nil
  for _ = 1, options.groups do
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
  if options.command ~= 'none' and (in_order or was_empty) then
    if options.once then
      redis.call(options.command, key, options.ms, 'NX')
    else
      redis.call(options.command, key, options.ms)
    end
  elseif not sets and options.tombstone > 0 and redis.call('PTTL', key) == -1 then
    local _, data = names_by_owner()
    if #data == 0 then
      redis.call('HSET', key, prefix, newest .. ' empty')
      redis.call('PEXPIRE', key, options.tombstone)
    end
  end
end
