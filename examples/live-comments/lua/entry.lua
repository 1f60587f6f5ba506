-- Live comments below a video.
--   {"op":"join","video":42,"name":"Ann"}  →  {"op":"join","success":true,"comments":[the latest ones]}
--   {"op":"comment","text":"…"}            →  {"op":"comment","success":true}, and everybody who watches gets
--                                             {"op":"new","name":"Ann","text":"…","id":1}
--   {"op":"leave"}                         →  {"op":"leave","success":true}

local BACKEND = mix.server.option("backend")
-- At most so many comments of one viewer in so many seconds.
local BURST, SECONDS = 5, 10

local function channel_of(video)
  return "video:" .. video
end

local function call(method, path, body)
  local response, err = mix.http.request(method, BACKEND .. path, {
    headers = { ["Content-Type"] = "application/json" },
    body = body and mix.json_encode(body),
    timeout = "3s",
  })
  if err then
    mix.log(mix.ERROR, path .. ": " .. err)
    return nil, "try again later"
  end
  local answer = mix.json_decode(response.body)
  if response.status_code ~= 200 then return nil, answer and answer.error or "refused" end
  return answer
end

-- The times of a viewer's latest comments are kept with the connection, so a reload of this script forgets nothing.
local function too_many(conn)
  local now, recent = mix.now_ms(), {}
  for _, at in ipairs(conn:context_value("commented") or {}) do
    if now - at < SECONDS * 1000 then recent[#recent + 1] = at end
  end
  if #recent >= BURST then return true end
  recent[#recent + 1] = now
  conn:set_context_value("commented", recent)
  return false
end

local operations = {}

function operations.join(conn, message)
  local video = math.tointeger(message.video)
  if not video then return { error = "video must be a number" } end
  conn:unsubscribe()
  -- Subscribe first, then ask for what was said before: so nothing falls between the two.
  local err = conn:subscribe(channel_of(video))
  if err then return { error = err } end
  local comments, problem = call("GET", "/comments?video=" .. video)
  if not comments then return { error = problem } end
  conn:set_context_value("video", video)
  conn:set_context_value("name", tostring(message.name or "somebody"):sub(1, 64))
  return { success = true, comments = comments }
end

function operations.comment(conn, message)
  local video = conn:context_value("video")
  if not video then return { error = "join first" } end
  if type(message.text) ~= "string" or message.text == "" then return { error = "text is missing" } end
  if too_many(conn) then return { error = "slow down" } end
  local name = conn:context_value("name")
  local stored, problem = call("POST", "/comments", { video = video, name = name, text = message.text })
  if not stored then return { error = problem } end
  stored.op = "new"
  -- Nobody here needs the counts, so nobody waits for them.
  local err = mix.mesh.publish_nowait(channel_of(video), mix.json_encode(stored))
  return { success = err == nil, error = err }
end

function operations.leave(conn)
  conn:unsubscribe()
  conn:set_context_value("video", nil)
  return { success = true }
end

function on_message(msg)
  local conn = mix.websocket()
  local message = mix.json_decode(msg.data)
  local operation = type(message) == "table" and operations[message.op]
  if not operation then return conn:send('{"error":"op must be join, comment or leave"}') end
  local answer = operation(conn, message)
  answer.op = message.op
  conn:send(mix.json_encode(answer))
end
