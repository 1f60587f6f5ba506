-- Business logic for a server with `protocol: socket`: clients send lines of text.
--   subscribe CHANNEL      → ok
--   unsubscribe CHANNEL    → ok
--   publish CHANNEL TEXT   → success N fail N
--   anything else          → error …
-- What is published on a subscribed channel arrives as one line.

local protocol = require "protocols.text"

protocol_input = protocol.input
protocol_decode = protocol.decode
protocol_encode = protocol.encode

local function answer(conn, line)
  local command, channel, rest = line:match("^(%a+) (%S+) ?(.*)$")
  if command == "subscribe" or command == "unsubscribe" then
    local err = conn[command](conn, channel)
    return err and "error " .. err or "ok"
  end
  if command == "publish" then
    local success, fail, err = mix.mesh.publish(channel, rest)
    if err then return "error " .. err end
    return "success " .. success .. " fail " .. fail
  end
  return "error expected: subscribe CHANNEL, unsubscribe CHANNEL, or publish CHANNEL TEXT"
end

function on_connect(client_id)
end

function on_message(line)
  local conn = mix.socket.tcp()
  conn:send(answer(conn, line) .. "\n")
end

function on_close(client_id, err)
end
