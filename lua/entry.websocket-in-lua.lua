-- An entry for a WebSocket server whose protocol is Lua too: `protocol: socket` and this file. For when the upgrade or the frames need
-- something that a `websocket` server does not do; that one is faster. Texts are channel names to subscribe to; a text
-- "channel data" publishes; binary messages come back as they are.

local protocol = require "protocols.websocket"

protocol_input = protocol.input
protocol_decode = protocol.decode
protocol_encode = protocol.encode

function on_message(msg)
  local conn = mix.socket.tcp()
  if msg.type == "binary" then return protocol.send(conn, msg.data, "binary") end
  local channel, payload = msg.data:match("^(%S+) (.*)$")
  if channel then
    local success, fail, err = mix.mesh.publish(channel, payload)
    return protocol.send(conn, err or "success " .. success .. " fail " .. fail)
  end
  protocol.send(conn, conn:subscribe(msg.data) or "subscribed")
end
