-- Lines of text: a packet ends with "\n" (a "\r" before it is not part of it).

local text = {}

-- A line longer than this closes the connection.
text.max_line = 65536

function text.input(buf)
  local bytes = buf:tostring()
  local at = bytes:find("\n", 1, true)
  if at then return at end
  if #bytes > text.max_line then return -1 end
  return 0
end

function text.decode(packet)
  return (packet:gsub("\r?\n$", ""))
end

-- A message with a line break would arrive as two: it is refused, and counted as a failed delivery.
function text.encode(str)
  if str:find("\n", 1, true) then return "" end
  return str .. "\n"
end

return text
