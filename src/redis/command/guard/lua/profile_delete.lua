-- Mode "profile".
local newest, state = read_time(redis.call('HGET', key, prefix))
if everything and newest and newest > time then time = newest end
-- A deletion that was made before is made again.
if newest and newest > time and (newest > time + 1 or not is_empty(state)) then return 0 end
local _, data = names_by_owner()
redis.call('DEL', key)
redis.call('HSET', key, prefix, time_text(time + 1) .. 'p empty')
expire_tombstone(tombstone)
return #data > 0 and 2 or 1
