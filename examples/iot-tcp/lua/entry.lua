-- Devices over raw TCP with a small binary protocol, as meters and sensors speak it. A frame, big endian:
--   0xA5 | type, 1 byte | length of the body, 2 bytes | body | checksum, 1 byte: all bytes before it, exclusive or
-- From the device:  1 hello (key in 64 hex digits, then its name)   2 reading (sequence 4, sensor 2, value 4 as float)   3 ping
-- To the device:  129 welcome   130 reading is stored (sequence 4)   131 pong   132 command (text)   255 error (text)

local SECRET = mix.server.option("device_secret")
local HEAD, MAX_BODY = 4, 1024

local function frame(kind, body)
  local bytes = mix.php_pack("CCna*", 0xA5, kind, #body, body)
  local sum = 0
  for i = 1, #bytes do sum = bit.bxor(sum, bytes:byte(i)) end
  return bytes .. string.char(sum)
end

-- How long is the first packet? 0: wait for more. -1: this is not our protocol, close.
function protocol_input(buf)
  if buf:length() < HEAD then return 0 end
  local head = mix.php_unpack("Cmagic/Ctype/nlength", buf:read(HEAD))
  if head.magic ~= 0xA5 or head.length > MAX_BODY then return -1 end
  local size = HEAD + head.length + 1
  return buf:length() >= size and size or 0
end

-- One packet to what on_message gets. A wrong checksum skips the packet.
function protocol_decode(bytes)
  local sum = 0
  for i = 1, #bytes do sum = bit.bxor(sum, bytes:byte(i)) end
  if sum ~= 0 then
    mix.log(mix.WARN, "a frame with a wrong checksum was skipped")
    return nil
  end
  return { kind = bytes:byte(2), body = bytes:sub(HEAD + 1, -2) }
end

-- What is published to device:<name> arrives as a command.
function protocol_encode(text)
  return frame(132, text)
end

local kinds = {}

-- hello: the key proves the name.
kinds[1] = function(conn, body)
  local key, name = body:sub(1, 64), body:sub(65)
  if not name:match("^[%w-]+$") or mix.hmac_sha256(SECRET, name) ~= key then
    conn:send(frame(255, "wrong key"))
    return conn:close()
  end
  conn:set_context_value("name", name)
  local err = conn:subscribe("device:" .. name)
  conn:send(err and frame(255, err) or frame(129, ""))
end

-- reading: into the queue for the back end; stored as soon as it is there.
kinds[2] = function(conn, body)
  local name = conn:context_value("name")
  local reading = #body == 10 and mix.php_unpack("Nsequence/nsensor/Gvalue", body)
  if not name or not reading then return conn:send(frame(255, name and "wrong reading" or "hello first")) end
  reading.device = name
  local _, err = mix.queue.push("readings", reading)
  -- Without the answer the device keeps the reading and sends it again later.
  if err then return mix.log(mix.WARN, "reading not stored: " .. err) end
  conn:send(frame(130, mix.php_pack("N", reading.sequence)))
end

kinds[3] = function(conn)
  conn:send(frame(131, ""))
end

function on_message(packet)
  local conn = mix.socket.tcp()
  local act = kinds[packet.kind]
  if not act then return conn:send(frame(255, "unknown type " .. packet.kind)) end
  act(conn, packet.body)
end
