-- JSON-RPC 2.0 over TCP, one JSON text a line. on_message gets the decoded object; what is not JSON is answered here.

local text = require "protocols.text"

local jsonrpc = { input = text.input, encode = text.encode }

local function refuse(code, message)
  local conn = mix.socket.tcp()
  conn:send(mix.json_encode({ jsonrpc = "2.0", id = mix.null, error = { code = code, message = message } }) .. "\n")
end

-- Returns the request as a table, or nil when it was refused (JSON-RPC 2.0, section 5.1).
function jsonrpc.decode(packet)
  local line = text.decode(packet)
  if line == "" then return nil end
  local request, err = mix.json_decode(line)
  if err then
    refuse(-32700, "Parse error: " .. err)
    return nil
  end
  if type(request) ~= "table" or type(request.method) ~= "string" then
    refuse(-32600, 'Invalid Request: expected {"jsonrpc":"2.0","method":"…","id":1}')
    return nil
  end
  return request
end

-- The answer to a request; nil where it was a notification.
function jsonrpc.result(request, value)
  if request.id == nil then return nil end
  return mix.json_encode({ jsonrpc = "2.0", id = request.id, result = value }) .. "\n"
end

function jsonrpc.error(request, code, message)
  return mix.json_encode({ jsonrpc = "2.0", id = request.id or mix.null, error = { code = code, message = message } }) .. "\n"
end

return jsonrpc
