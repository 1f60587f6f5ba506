local login = require("login")

-- Globals, as scripts of that time have them.
function reply(conn, tbl)
    local str, err = mix.json_encode(tbl)
    if err then
        mix.log(mix.ERROR, "json_encode: " .. err)
        return
    end
    err = conn:send(str)
    if err then
        mix.log(mix.ERROR, "send: " .. err)
    end
end

function on_handshake(client_id, headers, server)
    local conn = mix.websocket()
    conn:set_context_value("handshake", {
        client_id = client_id,
        version = headers["Sec-WebSocket-Version"],
        lower_case = headers["sec-websocket-version"],
        method = server["Method"],
        uri = server["RequestUri"],
        protocol = server["ServerProtocol"],
        host = server["Host"],
        address = server["RemoteAddr"],
    })
end

operations = {}

function operations.handshake(conn)
    reply(conn, conn:context_value("handshake"))
end

function operations.login(conn, request)
    conn:set_context_value("name", request["name"])
    reply(conn, login.run(conn, request["token"]))
end

function operations.publish(conn, request)
    local success, fail = mix.mesh.publish(request["channel"], request["data"])
    reply(conn, { success = success, fail = fail, finish = request["finish"] })
end

function operations.send(conn, request)
    local err = mix.mesh.send(request["client_id"], request["data"])
    reply(conn, { sent = err == nil, error = err })
end

function on_message(msg)
    local conn = mix.websocket()
    if msg["type"] == "binary" then
        local flipped = string.gsub(msg["data"], "[%z\1-\255]", function(c)
            return string.char(bit.bxor(string.byte(c), 0xff))
        end)
        conn:send(flipped, "binary")
        return
    end
    local request, err = mix.json_decode(msg["data"])
    if err then
        mix.log(mix.WARN, "no JSON from " .. conn:client_id())
        conn:close()
        return
    end
    request["finish"] = msg["finish"]
    operations[request["op"]](conn, request)
end

function on_close(client_id, err)
    local conn = mix.websocket()
    mix.queue.push("closed", { client_id = client_id, kind = type(err), err = err, uid = conn:context_value("uid") })
end
