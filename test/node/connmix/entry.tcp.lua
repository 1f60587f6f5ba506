-- Packets are JSON behind two bytes of length; a length of 0xffff is no packet.
local login = require("login")

local HEAD = 2

function frame(str)
    return mix.php_pack("n", #str) .. str
end

function on_connect(client_id)
    local conn = mix.socket.tcp()
    conn:set_context({ connected = client_id, address = conn:remote_addr() })
end

function protocol_input(buf)
    if buf:length() < HEAD then
        return 0
    end
    local head, err = buf:read(HEAD)
    if err or buf:position() ~= HEAD then
        return -1
    end
    local size = bit.bor(bit.lshift(string.byte(head, 1), 8), string.byte(head, 2))
    if size == 0xffff then
        return -1
    end
    if buf:length() < HEAD + size then
        return 0
    end
    return HEAD + size
end

function protocol_decode(str)
    local request, err = mix.json_decode(string.sub(str, HEAD + 1))
    if err then
        mix.log(mix.WARN, "no JSON in a packet of " .. #str .. " bytes")
        return nil
    end
    return request
end

function protocol_encode(str)
    return frame(str)
end

function on_message(msg)
    local conn = mix.socket.tcp()
    local answer = {}
    if msg["op"] == "login" then
        conn:set_context_value("name", msg["name"])
        answer = login.run(conn, msg["token"])
    elseif msg["op"] == "publish" then
        answer.success, answer.fail = mix.mesh.publish(msg["channel"], msg["data"])
    elseif msg["op"] == "context" then
        answer = conn:context()
    end
    conn:send(frame(mix.json_encode(answer)))
end

function on_close(client_id, err)
    local conn = mix.socket.tcp()
    mix.queue.push("closed", { client_id = client_id, kind = type(err), err = err, uid = conn:context_value("uid") })
end
