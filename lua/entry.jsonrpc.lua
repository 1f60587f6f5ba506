-- An entry for JSON-RPC 2.0 over TCP: `protocol: socket` and this file. One JSON text a line; methods subscribe, publish, ping.
--   {"jsonrpc":"2.0","id":1,"method":"subscribe","params":["news"]}      → {"jsonrpc":"2.0","id":1,"result":true}
--   {"jsonrpc":"2.0","id":2,"method":"publish","params":["news","hi"]}   → … "result":{"success":1,"fail":0}
-- What is published on a subscribed channel arrives as one line, as it was published.

local protocol = require "protocols.jsonrpc"

protocol_input = protocol.input
protocol_decode = protocol.decode
protocol_encode = protocol.encode

local methods = {}

function methods.ping()
  return "pong"
end

function methods.subscribe(conn, params)
  local err = conn:subscribe(params[1])
  return err == nil, err
end

function methods.publish(_, params)
  local success, fail, err = mix.mesh.publish(params[1], params[2])
  return { success = success, fail = fail }, err
end

local INVALID_PARAMS, NO_SUCH_METHOD = -32602, -32601

local function answer(conn, request)
  local method = methods[request.method]
  if not method then return protocol.error(request, NO_SUCH_METHOD, "no method " .. request.method) end
  local params = type(request.params) == "table" and request.params or {}
  if method ~= methods.ping and type(params[1]) ~= "string" then
    return protocol.error(request, INVALID_PARAMS, "params must begin with a channel")
  end
  if method == methods.publish and type(params[2]) ~= "string" then
    return protocol.error(request, INVALID_PARAMS, "the second of params must be a string")
  end
  local result, err = method(conn, params)
  if err then return protocol.error(request, INVALID_PARAMS, err) end
  return protocol.result(request, result)
end

function on_message(request)
  local conn = mix.socket.tcp()
  local line = answer(conn, request)
  if line then conn:send(line) end
end
