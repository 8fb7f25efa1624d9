-- Deletes a hash, and nothing else. KEYS[1]: the key. ARGV[1]: another type that may be deleted.
-- Redis before 7.0 puts a place before the code, or before a text without one.
local function refusal(text)
  local rest = string.match(text, '^@user_script: ?%d+: ?(.*)$')
  return redis.error_reply(rest and (string.match(rest, '^%-(.*)$') or 'ERR ' .. rest) or text)
end

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' and kind ~= 'hash' and kind ~= ARGV[1] then
  return redis.error_reply('WRONGTYPE Operation against a key holding the wrong kind of value')
end
-- A key that is missing is deleted, too: on a replica that lags this is an error.
local reply = redis.pcall('UNLINK', KEYS[1])
if type(reply) == 'table' then return refusal(reply.err) end
return reply
