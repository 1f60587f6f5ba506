-- A length before each packet: 2 or 4 bytes, most significant first, counting the bytes behind it.
--   local protocol = require("protocols.length").new(4, 1048576)

local length = {}

-- width: 2 or 4. max: the longest payload in bytes; a longer one closes the connection.
function length.new(width, max)
  assert(width == 2 or width == 4, "width must be 2 or 4")
  local format = width == 2 and ">I2" or ">I4"
  max = max or (width == 2 and 65535 or 1048576)
  local protocol = {}

  function protocol.input(buf)
    if buf:length() < width then return 0 end
    local size = string.unpack(format, (buf:read(width)))
    if size > max then return -1 end
    return width + size
  end

  function protocol.decode(packet)
    return packet:sub(width + 1)
  end

  function protocol.encode(str)
    if #str > max then return "" end
    return string.pack(format, #str) .. str
  end

  return protocol
end

return length
