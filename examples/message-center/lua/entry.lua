-- A message center: a client logs in with its token and then gets what is sent to its user, on all of the user's devices.
--   {"op":"login","token":"…"}  →  {"op":"login","success":true,"uid":1001,"name":"Ann"}
--   {"op":"ping"}               →  {"op":"pong"}

local BACKEND = mix.server.option("backend")
local LOGIN_SECONDS = 10

local function answer(conn, message)
  conn:send(mix.json_encode(message))
end

-- Whose token is it? Asks the back end; returns the user, or nil and a text for the client.
local function user_of(token)
  local response, err = mix.http.request("POST", BACKEND .. "/login", {
    headers = { ["Content-Type"] = "application/json" },
    body = mix.json_encode({ token = token }),
    timeout = "3s",
  })
  if err then
    mix.log(mix.ERROR, "login: " .. err)
    return nil, "login is not possible now"
  end
  if response.status_code ~= 200 then return nil, "wrong token" end
  return mix.json_decode(response.body)
end

local operations = {}

function operations.ping(conn)
  answer(conn, { op = "pong" })
end

function operations.login(conn, message)
  local user, problem = user_of(message.token)
  if not user then return answer(conn, { op = "login", success = false, error = problem }) end
  conn:unsubscribe()
  conn:set_context({ uid = user.uid, name = user.name })
  -- From here on nothing for this user is missed, whichever node it is published on.
  local err = conn:subscribe("user:" .. user.uid)
  if err then return answer(conn, { op = "login", success = false, error = err }) end
  answer(conn, { op = "login", success = true, uid = user.uid, name = user.name })
end

function on_handshake(client_id, headers, server)
  local conn = mix.websocket()
  mix.timer.after(LOGIN_SECONDS, function()
    if not conn:context_value("uid") then conn:close(4408, "no login") end
  end)
end

function on_message(msg)
  local conn = mix.websocket()
  local message = mix.json_decode(msg.data)
  local operation = type(message) == "table" and operations[message.op]
  if not operation then return answer(conn, { error = "op must be login or ping" }) end
  operation(conn, message)
end

function on_close(client_id, err)
  if err then mix.log(mix.INFO, client_id .. " is gone: " .. err) end
end
