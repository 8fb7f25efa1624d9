-- Replaces the fields of a hash; its TTL stays. KEYS[1]: the hash. ARGV: names and values.
-- HSET comes first: it refuses keys of another type, and is refused when the memory is full.
-- Redis before 7.0 puts a place before the code, or before a text without one.
local function refusal(text)
  local rest = string.match(text, '^@user_script: ?%d+: ?(.*)$')
  return redis.error_reply(rest and (string.match(rest, '^%-(.*)$') or 'ERR ' .. rest) or text)
end

for first = 1, #ARGV, 5000 do
  local last = math.min(first + 4999, #ARGV)
  local reply = redis.pcall('HSET', KEYS[1], unpack(ARGV, first, last))
  if type(reply) == 'table' then return refusal(reply.err) end
end
if redis.call('HLEN', KEYS[1]) * 2 ~= #ARGV then
  local keep, drop = {}, {}
  for at = 1, #ARGV, 2 do keep[ARGV[at]] = true end
  for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    if not keep[name] then drop[#drop + 1] = name end
  end
  for first = 1, #drop, 5000 do
    redis.call('HDEL', KEYS[1], unpack(drop, first, math.min(first + 4999, #drop)))
  end
end
return #ARGV / 2
