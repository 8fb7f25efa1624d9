-- The note of an event that came the short way is new.
if is_written then
  local names = {}
  for at = 2, last - 4, 2 do names[#names + 1] = ARGV[at] end
  for at = last + 1, last + removed do names[#names + 1] = ARGV[at] end
  write_members(note, names)
  -- A quarter of all ids cause a look at the number of notes.
  if not known or string.byte(note, -1) % 4 > 0 then
    if once ~= '' then
      redis.call(command, key, ms, 'NX')
    elseif command ~= '' then
      redis.call(command, key, ms)
    end
    return 1
  end
end
