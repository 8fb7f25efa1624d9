-- Deletes a user at a time. KEYS[1]: the profile. ARGV: `_ts`, the time, 1: what is newer goes,
-- too, the TTL of the tombstone in milliseconds (0: none).
local key, prefix, time = KEYS[1], ARGV[1], tonumber(ARGV[2])
local everything, tombstone = ARGV[3] == '1', tonumber(ARGV[4])
