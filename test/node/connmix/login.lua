-- Required by both entries. The user of a token comes from an HTTP back end and is kept in Redis; whoever consumes the queue lets it in.
local backend = mix.server.option("backend")
local redis_name = mix.server.option("redis")

local login = {}

local function user_of(token)
    local response, err = mix.http.request("GET", backend .. "/user", {
        query = { token = token },
        headers = { ["X-Caller"] = mix.server.option("name") },
        cookies = { session = "s1" },
        timeout = "5s",
    })
    if err then
        return nil, err
    end
    if response["status_code"] ~= 200 then
        return nil, "status " .. response["status_code"] .. " of " .. response["url"]
    end
    return mix.json_decode(response["body"])
end

-- Through Redis where there is one, so that what comes back has been there.
local function keep(user)
    if redis_name == nil then
        return user
    end
    local redis, err = mix.redis.connection(redis_name)
    if err then
        return nil, err
    end
    local key = "user:" .. user["id"]
    local reply, err = redis:command("set", key, mix.json_encode(user))
    if err or reply ~= "OK" then
        return nil, err or "set answered " .. tostring(reply)
    end
    local str, err = redis:command("get", key)
    if err then
        return nil, err
    end
    return mix.json_decode(str)
end

function login.run(conn, token)
    local user, err = user_of(token)
    if not err then
        user, err = keep(user)
    end
    if err then
        mix.log(mix.ERROR, "login: " .. err)
        return { op = "login", success = false, error = err }
    end
    local n, err = mix.queue.push("login", { id = user["id"], channels = table.getn(user["channels"]) })
    if err then
        return { op = "login", success = false, error = err }
    end
    local uid = conn:wait_context_value("uid", 30)
    if uid == nil then
        return { op = "login", success = false, error = "nobody let this user in" }
    end
    local err = conn:subscribe(unpack(user["channels"]))
    return { op = "login", success = err == nil, error = err, uid = uid, queued = n, name = conn:context()["name"] }
end

return login
