-- One event, mode "field". KEYS[1]: the profile.
-- ARGV: options; names and values; `_ts`, the time, `_ts:<id>`, the time; then what options.lua says.
local key, last = KEYS[1], #ARGV
if ARGV[1] ~= '' then last = 1 + string.match(ARGV[1], '^%d+') end
local text, note, prefix = ARGV[last], ARGV[last - 1], ARGV[last - 3]
local known = redis.call('HGET', key, prefix)
local is_plain = false
if not known or #known == 13 then
  if not known or tonumber(text) >= (tonumber(known) or 1e99) then
    -- In order: nothing in the hash is newer. `unpack` takes fewer than 8,000 values.
    if ARGV[1] == '' and last < 7000 then
      if redis.call('HSET', key, unpack(ARGV, 2)) == 0
        or redis.call('HEXISTS', key, note .. ':0') == 1 then
        return 1
      end
      is_plain = true
    end
  elseif tonumber(text) < (tonumber(redis.call('HGET', key, note) or '') or -1) then
    -- The same fields were written together at a later time.
    return 0
  end
end
