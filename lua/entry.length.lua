-- An entry for packets with a length before them: `protocol: socket` and this file. Each packet begins with 4 bytes, the length of
-- what follows, most significant first. The first byte of a packet says what it is:
--   "s" CHANNEL           subscribe; answered by the packet "s"
--   "p" CHANNEL "\n" DATA  publish; answered by "p", and success and fail as 4 bytes each
-- What is published on a subscribed channel arrives as one packet. Anything else is answered by "e" and the reason.

local protocol = require("protocols.length").new(4, 65000)

protocol_input = protocol.input
protocol_decode = protocol.decode
protocol_encode = protocol.encode

local function answer(conn, packet)
  local kind, rest = packet:sub(1, 1), packet:sub(2)
  if kind == "s" then
    local err = conn:subscribe(rest)
    return err and "e" .. err or "s"
  end
  if kind == "p" then
    local channel, payload = rest:match("^([^\n]*)\n(.*)$")
    if not channel then return 'epublish: expected a channel, a line break, and data' end
    local success, fail, err = mix.mesh.publish(channel, payload, "binary")
    return err and "e" .. err or "p" .. string.pack(">I4I4", success, fail)
  end
  return 'eexpected "s" or "p" as the first byte'
end

function on_message(packet)
  local conn = mix.socket.tcp()
  conn:send(protocol.encode(answer(conn, packet)))
end
