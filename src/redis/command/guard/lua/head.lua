-- One event. KEYS[1]: the profile. ARGV: options; names and values, of which the last are the
-- guard's own; names to remove; groups of a TTL, a number, and so many names.
-- The options are empty when there are only names and values and the key keeps its TTL. Else they
-- count the words of names and values, names to remove, and groups. Then follow the TTL of a
-- tombstone; that of the key and the command that sets it (or nothing), with NX only once; and `=`
-- when the event replaces the profile.
local key, last = KEYS[1], #ARGV
local removed, groups, tombstone, replace = 0, 0, 0, ''
local set_key_ttl
if ARGV[1] ~= '' then
  local words, ms, command, once
  words, removed, groups, tombstone, ms, command, once, replace =
    string.match(ARGV[1], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%u*)( ?N?X?)(=?)$')
  last, removed, groups, tombstone = 1 + words, removed + 0, groups + 0, tombstone + 0
  if command ~= '' then
    set_key_ttl = function()
      if once ~= '' then
        redis.call(command, key, ms, 'NX')
      else
        redis.call(command, key, ms)
      end
    end
  end
end
