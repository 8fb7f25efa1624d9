-- Writes the list of names that belongs to a note, in pieces of at most 64 bytes: a longer value
-- would make Redis keep the hash in a form that takes three times the memory. A comma ends a name;
-- in the name it is `%2C`, and a percent sign is `%25`.
local function write_members(of, names)
  local words, piece, size, count = {}, {}, 0, 0
  local function flush()
    words[#words + 1] = of .. ':' .. count
    words[#words + 1] = table.concat(piece)
    piece, size, count = {}, 0, count + 1
  end
  for _, name in ipairs(names) do
    if string.find(name, '[,%%]') then
      name = string.gsub(name, '[,%%]', {[','] = '%2C', ['%'] = '%25'})
    end
    if size > 0 and size + #name >= 64 then
      flush()
      if #words > 4000 then
        redis.call('HSET', key, unpack(words))
        words = {}
      end
    end
    piece[#piece + 1] = name
    piece[#piece + 1] = ','
    size = size + #name + 1
  end
  flush()
  redis.call('HSET', key, unpack(words))
end
