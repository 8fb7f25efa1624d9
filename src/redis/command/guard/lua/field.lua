-- The short way, mode "field". The guard's own: `_ts`, the time, `_ts:<id>`, the time.
local text, note, prefix = ARGV[last], ARGV[last - 1], ARGV[last - 3]
local known = redis.call('HGET', key, prefix)
local is_written = false
if not known or #known == 13 then
  if not known or tonumber(text) >= (tonumber(known) or 1e99) then
    -- In order: nothing in the hash is newer. `unpack` takes fewer than 8,000 values.
    if last > 5 and #ARGV < 7000 then
      local added = redis.call('HSET', key, unpack(ARGV, 2, last))
      if removed > 0 then redis.call('HDEL', key, unpack(ARGV, last + 1, last + removed)) end
      local at = last + removed + 1
      for _ = 1, groups do
        local names_to = at + 1 + ARGV[at + 1]
        redis.call('HPEXPIRE', key, ARGV[at], 'FIELDS', unpack(ARGV, at + 1, names_to))
        at = names_to + 1
      end
      if added == 0 or redis.call('HEXISTS', key, note .. ':0') == 1 then
        if set_key_ttl then set_key_ttl() end
        return 1
      end
      is_written = true
    end
  elseif tonumber(text) < (tonumber(redis.call('HGET', key, note) or '') or -1) then
    -- The same fields were written together at a later time.
    return 0
  end
end
