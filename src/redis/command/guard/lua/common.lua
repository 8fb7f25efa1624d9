-- Functions for the slow paths. They use `key` and `prefix`, which stand before them.
-- The most words that one command takes here: an even number, so that pairs stay together.
local STEP = 5000

local function in_steps(command, words)
  for first = 1, #words, STEP do
    redis.call(command, key, unpack(words, first, math.min(first + STEP - 1, #words)))
  end
end

-- The time at the beginning of a note, and the text behind it; nil: the guard did not write this.
local function read_time(note)
  local digits, rest = string.match(note or '', '^(%d+)(.*)$')
  if digits and #digits == 13 then return tonumber(digits), rest end
end

local function time_text(time)
  return string.format('%013.0f', time)
end

local function is_empty(state)
  return state ~= nil and string.find(state, 'empty', 1, true) ~= nil
end

local function is_by_profile(state)
  return state ~= nil and string.sub(state, 1, 1) == 'p'
end

-- The names of the guard's own fields, and all others.
local function names_by_owner()
  local own, data, start = {}, {}, prefix .. ':'
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if name == prefix or string.sub(name, 1, #start) == start then
      own[#own + 1] = name
    else
      data[#data + 1] = name
    end
  end
  return own, data
end

-- Nothing is left: the key stays for so many milliseconds, or for ever.
local function expire_tombstone(ttl)
  if ttl > 0 then
    redis.call('PEXPIRE', key, ttl)
  else
    redis.call('PERSIST', key)
  end
end
