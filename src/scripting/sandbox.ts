/**
 * The global table that scripts get, in Lua: standard functions without those that reach the host, hide from the CPU limit or cannot
 * be interrupted. Run once per VM with `...` = host functions (guard.ts); returns a function that makes a fresh environment for a
 * version of the scripts, and one that makes the methods of strings those of a version.
 * Its text is compiled without line numbers, so that errors of a guarded function do not point here.
 */

import { STRINGS_LUA } from './strings.js';

export const SANDBOX_LUA = `
local host = ...
local tick, at, stopping, quick, WAIT = host.tick, host.at, host.stopping, host.quick, host.wait_token
local type, next, select, error, rawget, rawset, rawlen = type, next, select, error, rawget, rawset, rawlen
local tostring, tonumber, math_type = tostring, tonumber, math.type
local pristine, metatable_of = _G, debug.getmetatable

local function copy(from)
  local to = {}
  for key, value in next, from do to[key] = value end
  return to
end

local function bad(position, name, expected, value, level)
  error("bad argument #" .. position .. " to '" .. name .. "' (" .. expected .. " expected, got "
    .. (value == nil and "no value" or type(value)) .. ")", level or 3)
end

${STRINGS_LUA}

-- ── tables ──

local sort, insert, remove, move = table.sort, table.insert, table.remove, table.move
local tables = copy(table)

local function less(a, b) return a < b end

-- With a comparison in Lua the sorting can be stopped.
function tables.sort(list, before)
  if type(list) == "table" and #list > 100 then tick() end
  if before == nil and (type(list) ~= "table" or metatable_of(list) ~= nil or #list > 5000 or not quick()) then before = less end
  return sort(list, before)
end

-- Shifting goes on for as many elements as "#" says, which a metatable may say wrongly.
function tables.insert(list, ...)
  if type(list) == "table" and select("#", ...) == 2 then
    local length, position, value = #list, ...
    if metatable_of(list) ~= nil then
      if math_type(position) ~= "integer" then bad(2, "insert", "number", position) end
      if position < 1 or position > length + 1 then error("bad argument #2 to 'insert' (position out of bounds)", 2) end
      for i = length, position, -1 do list[i + 1] = list[i] end
      list[position] = value
      return
    end
    if length > 1000 then tick() end
  end
  return insert(list, ...)
end

function tables.remove(list, ...)
  if type(list) == "table" and select("#", ...) > 0 then
    local length, position = #list, ...
    if metatable_of(list) ~= nil and math_type(position) == "integer" and position >= 1 and position <= length then
      local value = list[position]
      for i = position, length - 1 do list[i] = list[i + 1] end
      list[length] = nil
      return value
    end
    if length > 1000 then tick() end
  end
  return remove(list, ...)
end

function tables.move(from, first, last, to, into)
  if math_type(first) == "integer" and math_type(last) == "integer" and math_type(to) == "integer"
    and type(from) == "table" and (into == nil or type(into) == "table")
    and (last - first > 1000 or last - first < 0) and last >= first then
    local target = into or from
    if to > last or to <= first or into ~= nil and into ~= from then
      for i = 0, last - first do target[to + i] = from[first + i] end
    else
      for i = last - first, 0, -1 do target[to + i] = from[first + i] end
    end
    return target
  end
  return move(from, first, last, to, into)
end

function tables.concat(list, separator, first, last)
  if type(list) ~= "table" or metatable_of(list) == nil then
    if type(list) == "table" and rawlen(list) > 1000 then tick() end
    return concat_list(list, separator, first, last)
  end
  local plain = {}
  for i = first or 1, last or #list do plain[#plain + 1] = list[i] end
  return concat_list(plain, separator)
end

-- ── coroutines: a wait inside of one suspends the whole callback ──

local create, resume, yield, running, close = coroutine.create, coroutine.resume, coroutine.yield, coroutine.running, coroutine.close
local coroutines = copy(coroutine)
-- Those that scripts made. The callbacks' own are the scheduler's to resume.
local made = setmetatable({}, { __mode = "k" })
local again

local function pump(co, self, ok, token, ...)
  if ok and token == WAIT then return again(co, self, yield(WAIT)) end
  at(self)
  return ok, token, ...
end

again = function(co, self, ...)
  at(co)
  return pump(co, self, resume(co, ...))
end

function coroutines.create(f)
  if type(f) ~= "function" then bad(1, "create", "function", f) end
  local co = create(f)
  made[co] = true
  return co
end

function coroutines.resume(co, ...)
  if type(co) ~= "thread" then bad(1, "resume", "coroutine", co) end
  if not made[co] then return false, "cannot resume a callback" end
  return again(co, running(), ...)
end

-- What __close of its variables does runs on the coroutine that is closed.
local function closing(co, self)
  at(co)
  local ok, problem = close(co)
  at(self)
  return ok, problem
end

local function unwrap(co, ok, ...)
  if ok then return ... end
  closing(co, running())
  error((...), 0)
end

function coroutines.wrap(f)
  if type(f) ~= "function" then bad(1, "wrap", "function", f) end
  local co = create(f)
  made[co] = true
  return function(...) return unwrap(co, again(co, running(), ...)) end
end

function coroutines.close(co)
  if type(co) ~= "thread" then bad(1, "close", "coroutine", co) end
  if not made[co] then error("cannot close a callback", 2) end
  return closing(co, running())
end

-- ── base ──

local raw_setmetatable, raw_xpcall, raw_load = setmetatable, xpcall, load

-- A finalizer would run where the CPU limit does not look. Lua 5.1 ignores __gc of tables, and so do we.
local function set_metatable(t, meta)
  if type(meta) == "table" then
    local finalizer = rawget(meta, "__gc")
    if finalizer ~= nil then
      rawset(meta, "__gc", nil)
      raw_setmetatable(t, meta)
      rawset(meta, "__gc", finalizer)
      return t
    end
  end
  return raw_setmetatable(t, meta)
end

-- A message handler runs where the limit's hook is off, so a stopped callback's handler is skipped.
local function x_pcall(f, handler, ...)
  if type(handler) ~= "function" then bad(2, "xpcall", "function", handler) end
  return raw_xpcall(f, function(problem)
    if stopping() then return problem end
    return handler(problem)
  end, ...)
end

local MOST_SOURCE = 1024 * 1024

local function load_in(env)
  return function(chunk, name, mode, own, ...)
    if type(chunk) == "function" then
      local parts, size = {}, 0
      while true do
        local part = chunk()
        if part == nil or part == "" then break end
        if type(part) ~= "string" then return nil, "reader function must return a string" end
        size = size + #part
        if size > MOST_SOURCE then return nil, "chunk is larger than 1 MB" end
        parts[#parts + 1] = part
      end
      chunk, name = concat_list(parts), name or "=(load)"
    end
    if type(chunk) ~= "string" then bad(1, "load", "string", chunk) end
    if #chunk > MOST_SOURCE then return nil, "chunk is larger than 1 MB" end
    if #chunk > 1000 then tick() end
    if mode ~= nil and not find(mode, "t", 1, true) then return nil, "attempt to load a text chunk (mode is '" .. mode .. "')" end
    if own == nil then own = env end
    return raw_load(chunk, name or chunk, "t", own)
  end
end

local BASE = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen", "rawset",
  "select", "tonumber", "tostring", "type", "_VERSION" }

local string_metatable = metatable_of("")
string_metatable.__metatable = false
-- An old version's lives as long as a callback of that version waits.
local strings_of = setmetatable({}, { __mode = "v" })

local function make(version)
  local env = {}
  for i = 1, #BASE do env[BASE[i]] = pristine[BASE[i]] end
  env._G = env
  env.setmetatable, env.xpcall, env.load = set_metatable, x_pcall, load_in(env)
  env.collectgarbage = function(what)
    if what == "count" then return pristine.collectgarbage("count") end
    return 0
  end
  env.string, env.table, env.coroutine = copy(strings), copy(tables), copy(coroutines)
  env.math, env.utf8, env.debug = copy(math), copy(utf8), copy(debug)
  strings_of[version] = env.string
  return env
end

-- So that ("x"):name() finds what a script adds to its string table.
local function show(version)
  string_metatable.__index = strings_of[version] or strings
end

return make, show
`;
