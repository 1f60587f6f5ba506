-- Lines of text: a packet ends with "\n" (a "\r" before it is not part of it).

local text = {}

-- A line longer than this, its "\n" included, closes the connection.
text.max_line = 65536

-- Looks at a piece after the other: behind the first line may be thousands more.
function text.input(buf)
  local length, seen, piece = buf:length(), 0, 256
  while seen < length and seen <= text.max_line do
    local size = math.min(piece, length - seen)
    local at = buf:read(size):find("\n", 1, true)
    if at then
      seen = seen + at
      return seen <= text.max_line and seen or -1
    end
    seen, piece = seen + size, piece * 2
  end
  return seen <= text.max_line and 0 or -1
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
