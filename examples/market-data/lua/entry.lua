-- Market data: prices for everybody, orders for their owner.
--   {"op":"subscribe","channels":["ticker:BTC-USD"]}  →  {"op":"subscribe","success":true}
--   {"op":"auth","token":"<JWT>"}                     →  {"op":"auth","success":true,"uid":"7"}
--   {"op":"subscribe","channels":["orders"]}          →  the caller's own orders; after auth only
--   {"op":"unsubscribe","channels":[…]}               →  {"op":"unsubscribe","success":true}

local SECRET = mix.server.option("token_secret")
local SYMBOLS = { ["BTC-USD"] = true, ["ETH-USD"] = true, ["XAU-USD"] = true }

-- The mesh's name for what a client asks for, or nil and a problem. The only place that decides who may hear what.
local function channel_of(conn, name)
  local symbol = type(name) == "string" and name:match("^ticker:(.+)$")
  if symbol then
    if SYMBOLS[symbol] then return name end
    return nil, "no such symbol: " .. symbol
  end
  if name == "orders" then
    local uid = conn:context_value("uid")
    if not uid then return nil, "auth first" end
    return "orders:" .. uid
  end
  return nil, "no such channel"
end

local function channels_of(conn, message)
  if type(message.channels) ~= "table" or #message.channels == 0 then return nil, "channels must be a list" end
  local channels = {}
  for i, name in ipairs(message.channels) do
    local channel, problem = channel_of(conn, name)
    if not channel then return nil, problem end
    channels[i] = channel
  end
  return channels
end

local operations = {}

function operations.auth(conn, message)
  local claims, err = mix.jwt_verify(tostring(message.token), SECRET, { issuer = "exchange", algorithms = { "HS256" } })
  if err then return { error = err } end
  conn:set_context_value("uid", claims.sub)
  return { success = true, uid = claims.sub }
end

function operations.subscribe(conn, message)
  local channels, problem = channels_of(conn, message)
  if not channels then return { error = problem } end
  local err = conn:subscribe(table.unpack(channels))
  return { success = err == nil, error = err }
end

function operations.unsubscribe(conn, message)
  local channels, problem = channels_of(conn, message)
  if not channels then return { error = problem } end
  local err = conn:unsubscribe(table.unpack(channels))
  return { success = err == nil, error = err }
end

function on_message(msg)
  local conn = mix.websocket()
  local message = mix.json_decode(msg.data)
  local operation = type(message) == "table" and operations[message.op]
  if not operation then return conn:send('{"error":"op must be auth, subscribe or unsubscribe"}') end
  local answer = operation(conn, message)
  answer.op = message.op
  conn:send(mix.json_encode(answer))
end
