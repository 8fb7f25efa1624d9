-- The note of an event that came the short way is new.
if is_written then
  local names = {}
  for at = 2, last - 4, 2 do names[#names + 1] = ARGV[at] end
  for at = last + 1, last + removed do names[#names + 1] = ARGV[at] end
  write_members(note, names)
  -- A quarter of all ids have the notes counted, in the long way.
  if not known or string.byte(note, -1) % 4 > 0 then
    if set_key_ttl then set_key_ttl() end
    return 1
  end
end
