-- json.lua in OpenResty's way: one coroutine for each connection, which reads, decodes, looks at a field and answers.
local server = require("nginx.websocket.server")
local json = require("cjson.safe")

local ws = assert(server:new({ timeout = 60000, max_payload_len = 65536 }))
while true do
  local data, kind = ws:recv_frame()
  if not data then return end
  if kind == "close" then return ws:send_close() end
  if kind == "ping" then ws:send_pong(data) end
  if kind == "text" then
    local request = json.decode(data)
    if not request or request.op ~= "echo" then return ws:send_close(1008) end
    ws:send_text(json.encode({ op = request.op, id = request.id, text = request.text }))
  end
end
