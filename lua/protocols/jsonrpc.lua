-- JSON-RPC 2.0 over TCP, one JSON text a line. on_message gets the decoded object; what is not JSON is answered here.

local text = require "protocols.text"

local jsonrpc = { input = text.input, encode = text.encode }

local function refuse(id, code, message)
  local conn = mix.socket.tcp()
  conn:send(mix.json_encode({ jsonrpc = "2.0", id = id, error = { code = code, message = message } }) .. "\n")
end

local function is_id(id)
  return type(id) == "string" or type(id) == "number" or id == nil or id == mix.null
end

-- Returns the request as a table, or nil when it was refused (JSON-RPC 2.0, section 5.1).
function jsonrpc.decode(packet)
  local line = text.decode(packet)
  if line == "" then return nil end
  local request, err = mix.json_decode(line)
  if err then
    refuse(mix.null, -32700, "Parse error: " .. err)
    return nil
  end
  local known = type(request) == "table" and is_id(request.id)
  if not known or request.jsonrpc ~= "2.0" or type(request.method) ~= "string" then
    local id = known and request.id or mix.null
    refuse(id, -32600, 'Invalid Request: expected {"jsonrpc":"2.0","method":"…","id":1}; batches are not supported')
    return nil
  end
  return request
end

-- The answer to a request; nil where it was a notification, which gets none, not even of an error (section 4.1).
function jsonrpc.result(request, value)
  if request.id == nil then return nil end
  return mix.json_encode({ jsonrpc = "2.0", id = request.id, result = value }) .. "\n"
end

function jsonrpc.error(request, code, message)
  if request.id == nil then return nil end
  return mix.json_encode({ jsonrpc = "2.0", id = request.id, error = { code = code, message = message } }) .. "\n"
end

return jsonrpc
