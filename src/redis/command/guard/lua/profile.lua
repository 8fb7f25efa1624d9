-- The short way, mode "profile". The guard's own: `_ts`, the time and `p`.
local text, prefix = ARGV[last], ARGV[last - 1]
local known = redis.call('HGET', key, prefix)
if not known or #known == 14 then
  local time = tonumber(string.sub(text, 1, 13))
  if not known or time >= (tonumber(string.sub(known, 1, 13)) or 1e99) then
    -- In order. `unpack` takes fewer than 8,000 values.
    if last > 3 and #ARGV < 7000 then
      redis.call('HSET', key, unpack(ARGV, 2, last))
      if removed > 0 then redis.call('HDEL', key, unpack(ARGV, last + 1, last + removed)) end
      local at = last + removed + 1
      for _ = 1, groups do
        local names_to = at + 1 + ARGV[at + 1]
        redis.call('HPEXPIRE', key, ARGV[at], 'FIELDS', unpack(ARGV, at + 1, names_to))
        at = names_to + 1
      end
      if replace == '' or redis.call('HLEN', key) * 2 == last - 1 then
        if set_key_ttl then set_key_ttl() end
        return 1
      end
    end
  end
end
