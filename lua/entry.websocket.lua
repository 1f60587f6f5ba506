-- The default business logic: clients speak JSON.
--   {"op":"subscribe","channel":"c"}            → {"op":"subscribe","channel":"c","success":true}
--   {"op":"unsubscribe","channel":"c"}          → {"op":"unsubscribe","channel":"c","success":true}
--   {"op":"publish","channel":"c","data":"…"}   → {"op":"publish","success":2,"fail":0}
--   {"op":"ping"}                               → {"op":"pong"}
--   anything else                               → {"error":"…"}
-- A published message reaches subscribers as the exact bytes that were published.
-- Edit this file while the node runs: it is taken over within two seconds, and nobody is disconnected.

local json = mix.json_encode
local operations = {}

local function failed(text)
  return '{"error":' .. json(text) .. "}"
end

function operations.subscribe(conn, request)
  local err = conn:subscribe(request.channel) -- returns when every node knows
  if err then return failed("subscribe: " .. err) end
  return '{"op":"subscribe","channel":' .. json(request.channel) .. ',"success":true}'
end

function operations.unsubscribe(conn, request)
  local err = conn:unsubscribe(request.channel)
  if err then return failed("unsubscribe: " .. err) end
  return '{"op":"unsubscribe","channel":' .. json(request.channel) .. ',"success":true}'
end

function operations.publish(_, request)
  if type(request.data) ~= "string" then return failed('publish: "data" must be a string') end
  local success, fail, err = mix.mesh.publish(request.channel, request.data)
  if err then return failed("publish: " .. err) end
  return '{"op":"publish","success":' .. success .. ',"fail":' .. fail .. "}"
end

function operations.ping()
  return '{"op":"pong"}'
end

local NEEDS_CHANNEL = { subscribe = true, unsubscribe = true, publish = true }

local function answer(conn, msg)
  local request, err = mix.json_decode(msg.data)
  if err then return failed("not JSON: " .. err) end
  if type(request) ~= "table" then return failed('expected an object such as {"op":"ping"}') end
  local operation = operations[request.op]
  if not operation then return failed('"op" must be one of subscribe, unsubscribe, publish, ping') end
  if NEEDS_CHANNEL[request.op] and type(request.channel) ~= "string" then
    return failed(request.op .. ': "channel" must be a string')
  end
  return operation(conn, request)
end

function on_handshake(client_id, headers, server)
end

function on_message(msg)
  local conn = mix.websocket()
  conn:send(answer(conn, msg))
end

function on_close(client_id, err)
end
