-- One event, mode "profile". KEYS[1]: the profile.
-- ARGV: options; names and values; `_ts`, the time and `p`; then what options.lua says.
local key, last = KEYS[1], #ARGV
local is_plain = ARGV[1] == '' or ARGV[1] == 'replace'
if not is_plain then last = 1 + string.match(ARGV[1], '^%d+') end
local text, prefix = ARGV[last], ARGV[last - 1]
local known = redis.call('HGET', key, prefix)
if not known or #known == 14 then
  local time = tonumber(string.sub(text, 1, 13))
  if not known or time >= (tonumber(string.sub(known, 1, 13)) or 1e99) then
    -- In order. `unpack` takes fewer than 8,000 values.
    if is_plain and last < 7000 then
      redis.call('HSET', key, unpack(ARGV, 2))
      if ARGV[1] == '' or redis.call('HLEN', key) * 2 == last - 1 then return 1 end
    end
  end
end
