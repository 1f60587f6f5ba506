-- A WebSocket server protocol in Lua (RFC 6455), for a server with `protocol: socket`: handshake, masking, fragments, ping and
-- pong, close. on_message gets { type = "text"|"binary", data = "…" }, as in a websocket server.
-- What belongs to a connection is kept in its context under "ws…", so that it survives a reload of the scripts. Keep values of your
-- own with conn:set_context_value: conn:set_context would forget the protocol's.

local websocket = {}

-- The longest message in bytes, all its fragments together; a longer one closes the connection with 1009. A frame with its header
-- (14 bytes) must fit into the maxPayloadBytes of the server.
websocket.max_message = 65536 - 14
-- The most fragments of one message.
websocket.max_fragments = 4096
-- The longest upgrade request in bytes.
websocket.max_request = 16384

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" -- RFC 6455, section 1.3
local CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
-- The context's "ws" once the upgrade is done: this, or the opcode of the message whose fragments are coming in.
local BETWEEN_MESSAGES = 0

-- ── frames (section 5.2) ──

local function frame(opcode, payload)
  local first = string.char(0x80 | opcode)
  local size = #payload
  if size < 126 then return first .. string.char(size) .. payload end
  if size < 65536 then return first .. string.char(126) .. string.pack(">I2", size) .. payload end
  return first .. string.char(127) .. string.pack(">I8", size) .. payload
end

local LONGEST_HEADER = 10

-- Bytes of the header without the mask, and of the payload; nil when more bytes are needed.
local function sizes(bytes)
  if #bytes < 2 then return nil end
  local size = bytes:byte(2) & 0x7F
  if size < 126 then return 2, size end
  if size == 126 then
    if #bytes < 4 then return nil end
    return 4, (string.unpack(">I2", bytes, 3))
  end
  if #bytes < 10 then return nil end
  return 10, (string.unpack(">I8", bytes, 3))
end

-- XOR with the mask, four bytes at a time.
local function unmask(payload, mask)
  local key = string.unpack("<I4", mask)
  local whole = #payload // 4
  local parts = {}
  for i = 0, whole - 1 do
    parts[i + 1] = string.pack("<I4", string.unpack("<I4", payload, i * 4 + 1) ~ key)
  end
  for i = whole * 4 + 1, #payload do
    parts[#parts + 1] = string.char(payload:byte(i) ~ mask:byte((i - 1) % 4 + 1))
  end
  return table.concat(parts)
end

local function fail(conn, code, reason)
  conn:send(frame(CLOSE, string.pack(">I2", code) .. reason))
  conn:close()
  return nil
end

-- ── the opening handshake (section 4.2) ──

local function header(request, name)
  local pattern = "\r\n" .. name:gsub("%a", function(c) return "[" .. c:upper() .. c:lower() .. "]" end):gsub("%-", "%%-")
  return request:match(pattern .. ":[ \t]*([^\r\n]*)")
end

local function upgrade(conn, request)
  local key = header(request, "sec-websocket-key") or ""
  local asks = (header(request, "upgrade") or ""):lower() == "websocket"
    and (header(request, "connection") or ""):lower():find("upgrade", 1, true)
  if not request:match("^GET %S+ HTTP/1%.1\r\n") or not asks or #(mix.base64_decode(key) or "") ~= 16 then
    conn:send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    conn:close()
    return
  end
  if header(request, "sec-websocket-version") ~= "13" then
    conn:send("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    conn:close()
    return
  end
  conn:set_context_value("ws", BETWEEN_MESSAGES)
  conn:send(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" ..
    "Sec-WebSocket-Accept: " .. mix.base64_encode(mix.sha1_bin(key .. GUID)) .. "\r\n\r\n")
end

-- ── the three functions of a protocol ──

function websocket.input(buf)
  local conn = mix.socket.tcp()
  if not conn:context_value("ws") then
    local _, last = buf:tostring():find("\r\n\r\n", 1, true)
    if (last or buf:length()) > websocket.max_request then return -1 end
    return last or 0
  end
  -- Only the header: behind it may be thousands of frames.
  local bytes = buf:read(math.min(LONGEST_HEADER, buf:length()))
  local head, size = sizes(bytes)
  if not head then return 0 end
  if size < 0 or size > websocket.max_message then
    fail(conn, 1009, "message too big")
    return -1
  end
  local mask = bytes:byte(2) & 0x80 ~= 0 and 4 or 0
  return head + mask + size
end

-- Codes that a close frame may carry (section 7.4 and the registry made by it).
local function may_close_with(code)
  return code >= 1000 and code <= 1014 and not (code >= 1004 and code <= 1006) or code >= 3000 and code <= 4999
end

local function close(conn, payload)
  if #payload > 0 then
    if #payload == 1 or not may_close_with((string.unpack(">I2", payload))) then return fail(conn, 1002, "protocol error") end
    if not utf8.len(payload, 3) then return fail(conn, 1007, "the reason is not UTF-8") end
  end
  conn:send(frame(CLOSE, payload:sub(1, 2)))
  conn:close()
end

local function message(conn, opcode, payload)
  if opcode == TEXT and not utf8.len(payload) then return fail(conn, 1007, "text is not UTF-8") end
  return { type = opcode == TEXT and "text" or "binary", data = payload, finish = true }
end

-- Fragments (section 5.4): the first one says the type, the last one ends the message. Each is kept under a key of its own.
local function fragment(conn, opcode, payload, final)
  local count = (conn:context_value("ws.count") or 0) + 1
  local size = (conn:context_value("ws.size") or 0) + #payload
  if size > websocket.max_message or count > websocket.max_fragments then return fail(conn, 1009, "message too big") end
  if not final then
    conn:set_context_value("ws", opcode)
    conn:set_context_value("ws.count", count)
    conn:set_context_value("ws.size", size)
    conn:set_context_value("ws." .. count, payload)
    return nil
  end
  local parts = {}
  for i = 1, count - 1 do
    parts[i] = conn:context_value("ws." .. i)
    conn:set_context_value("ws." .. i, nil)
  end
  parts[count] = payload
  conn:set_context_value("ws.count", nil)
  conn:set_context_value("ws.size", nil)
  conn:set_context_value("ws", BETWEEN_MESSAGES)
  return message(conn, opcode, table.concat(parts))
end

function websocket.decode(packet)
  local conn = mix.socket.tcp()
  local state = conn:context_value("ws")
  if not state then return upgrade(conn, packet) end

  local first, second = packet:byte(1, 2)
  local opcode, final = first & 0x0F, first & 0x80 ~= 0
  if second & 0x80 == 0 or first & 0x70 ~= 0 then return fail(conn, 1002, "protocol error") end
  local head, size = sizes(packet)
  local payload = unmask(packet:sub(head + 5), packet:sub(head + 1, head + 4))

  if opcode >= CLOSE then
    if not final or size > 125 or opcode > PONG then return fail(conn, 1002, "protocol error") end
    if opcode == CLOSE then return close(conn, payload) end
    if opcode == PING then conn:send(frame(PONG, payload)) end
    return nil
  end
  local first_of_message = state == BETWEEN_MESSAGES
  if (opcode == CONTINUATION) == first_of_message or opcode > BINARY then return fail(conn, 1002, "protocol error") end
  if final and first_of_message then return message(conn, opcode, payload) end
  return fragment(conn, first_of_message and opcode or state, payload, final)
end

-- What comes through the mesh goes out as text where it is UTF-8, else as binary.
function websocket.encode(str)
  return frame(utf8.len(str) and TEXT or BINARY, str)
end

-- Sends one message to this connection: websocket.send(conn, data [, "text"|"binary"]).
function websocket.send(conn, payload, kind)
  return conn:send(frame(kind == "binary" and BINARY or TEXT, payload))
end

return websocket
