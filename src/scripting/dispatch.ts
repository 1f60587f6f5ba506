/**
 * The Lua side of every callback: one crossing carries a message, and the table that a handler gets is made here. Compiled once per
 * loaded version in its global table; `...` = host functions of a socket server. Handlers are looked up at each call, as
 * globals are.
 */

export const DISPATCH_LUA = `
local host = ...
local env, rawget, setmetatable, type, lower = _G, rawget, setmetatable, type, string.lower
local error = error

local function message(data, binary)
  -- Without rawget, which takes a tenth of a small callback: a websocket server has an on_message.
  local handler = env.on_message
  if handler ~= nil then return handler({ type = binary and "binary" or "text", data = data, finish = true }) end
end

local any_case = { __index = function(headers, name)
  if type(name) == "string" then return rawget(headers, lower(name)) end
end }

local function handshake(client_id, headers, server)
  return env.on_handshake(client_id, setmetatable(headers, any_case), server)
end

local function connected(client_id)
  local handler = rawget(env, "on_connect")
  if handler ~= nil then return handler(client_id) end
end

local function closed(client_id, problem)
  local handler = rawget(env, "on_close")
  if handler ~= nil then return handler(client_id, problem) end
end

local function gap(channel)
  return env.on_gap(channel)
end

-- Packets as long as there are whole ones.
local function frame(buf)
  local input = rawget(env, "protocol_input")
  if input == nil then error("protocol_input is not defined", 0) end
  while host.begin(buf) do
    local packet = host.take(buf, input(buf))
    if packet == nil then return end
    local decode = rawget(env, "protocol_decode")
    if decode ~= nil then packet = decode(packet) end
    if packet ~= nil then
      local handler = rawget(env, "on_message")
      if handler ~= nil then handler(packet) end
    end
  end
end

local function encode(data)
  local encoder = rawget(env, "protocol_encode")
  if encoder == nil then return data end
  return encoder(data)
end

return message, handshake, connected, closed, gap, frame, encode
`;

/** Names of what DISPATCH_LUA returns, in order. */
export const ENTRIES = ['message', 'handshake', 'connected', 'closed', 'gap', 'frame', 'encode'] as const;
export type EntryName = (typeof ENTRIES)[number];
