/**
 * The global table that scripts get, in Lua: standard functions without those that reach the host, hide from the CPU limit or cannot
 * be interrupted. Run once per VM with `...` = host functions (guard.ts); returns a function that makes a fresh environment for a
 * version of the scripts, and one that makes the methods of strings those of a version.
 * Its text is compiled without line numbers, so that errors of a guarded function do not point here.
 */

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

-- ── strings ──

local byte, find, match, gmatch, gsub, rep = string.byte, string.find, string.match, string.gmatch, string.gsub, string.rep
local sub, format, concat_list = string.sub, string.format, table.concat

-- Steps that the VM's own matcher may need at worst (about 50 ms) before a pattern goes to the one with a budget, and before the
-- clock is looked at first.
local STEPS, FEW_STEPS = 5e6, 2e3
local longest, short, known = {}, {}, 0

-- Behind the set that begins at i.
local function after_set(p, i)
  i = i + 1
  if byte(p, i) == 94 then i = i + 1 end
  repeat
    local c = byte(p, i)
    if c == nil then return i end
    i = i + (c == 37 and 2 or 1)
  until byte(p, i) == 93 or byte(p, i) == nil
  return i + 1
end

-- The longest subject on which a pattern needs so many steps at most: n^repetitions tries, twice for each "?".
local function longest_within(budget, repetitions)
  if budget < 1 then return -1 end
  return repetitions == 0 and budget or budget ^ (1 / repetitions)
end

local function learn(p)
  local anchored = byte(p, 1) == 94
  local repetitions, doubts, i = anchored and 0 or 1, #p + 1, anchored and 2 or 1
  while true do
    local c = byte(p, i)
    if c == nil then break end
    if c == 91 then i = after_set(p, i)
    elseif c == 37 then
      local class = byte(p, i + 1)
      if class == 98 then repetitions = repetitions + 1 i = i + 4
      else
        if class and class >= 48 and class <= 57 then repetitions = repetitions + 1 end
        i = i + 2
      end
    else i = i + 1 end
    local suffix = byte(p, i)
    if suffix == 42 or suffix == 43 or suffix == 45 then repetitions = repetitions + 1 i = i + 1
    elseif suffix == 63 then doubts = doubts * 2 i = i + 1 end
  end
  known = known + 1
  if known > 1000 then longest, short, known = {}, {}, 1 end
  longest[p], short[p] = longest_within(STEPS / doubts, repetitions), longest_within(FEW_STEPS / doubts, repetitions)
end

local function is_quick(s, p)
  local length = #s
  if short[p] == nil then learn(p) end
  if length <= short[p] then return true end
  tick()
  return length <= longest[p]
end

local function texts(s, p, name)
  if type(s) ~= "string" and type(s) ~= "number" then bad(1, name, "string", s, 4) end
  if type(p) ~= "string" and type(p) ~= "number" then bad(2, name, "string", p, 4) end
  return type(s) == "string" and s or tostring(s), type(p) == "string" and p or tostring(p)
end

local strings = copy(string)
strings.dump = nil

function strings.find(s, p, init, plain)
  if type(s) ~= "string" or type(p) ~= "string" then s, p = texts(s, p, "find") end
  if plain then
    local most = #s * #p
    if most > 10000 then tick() end
    if most <= STEPS then return find(s, p, init, true) end
  elseif is_quick(s, p) then return find(s, p, init) end
  return host.find(s, p, init or 1, plain and true or false)
end

function strings.match(s, p, init)
  if type(s) ~= "string" or type(p) ~= "string" then s, p = texts(s, p, "match") end
  if is_quick(s, p) then return match(s, p, init) end
  return host.match(s, p, init or 1)
end

function strings.gmatch(s, p, init)
  if type(s) ~= "string" or type(p) ~= "string" then s, p = texts(s, p, "gmatch") end
  -- A "^" is no anchor here.
  if is_quick(s, byte(p, 1) == 94 and "%" .. p or p) then
    if init then return gmatch(s, p, init) end
    return gmatch(s, p)
  end
  init = init or 1
  if init < 0 then init = #s + init + 1 end
  local from, last = init < 1 and 1 or init, 0
  local function step(first, after, ...)
    if first == nil then from = #s + 2 return nil end
    from, last = after, after
    return ...
  end
  return function()
    if from > #s + 1 then return nil end
    return step(host.scan(s, p, from, last))
  end
end

local function replacement(kind, with, whole, ...)
  local value
  if kind == "table" then value = with[(...)]
  elseif kind == "function" then value = with(...)
  elseif not find(with, "%", 1, true) then return with
  else
    local captures = { ... }
    value = gsub(with, "%%(.?)", function(c)
      if c == "%" then return "%" end
      if c == "0" then return whole end
      local n = byte(c) and byte(c) - 48 or -1
      if n < 1 or n > 9 then error("invalid use of '%' in replacement string", 5) end
      if captures[n] == nil then error("invalid capture index %" .. n, 5) end
      return captures[n]
    end)
  end
  if not value then return whole end
  if type(value) ~= "string" and type(value) ~= "number" then
    error("invalid replacement value (a " .. type(value) .. ")", 4)
  end
  return value
end

-- gsub over the matcher with a budget.
local function slow_gsub(s, p, with, limit)
  local kind = type(with)
  if kind == "number" then with, kind = tostring(with), "string" end
  if kind ~= "string" and kind ~= "table" and kind ~= "function" then bad(3, "gsub", "string/function/table", with) end
  local anchored = byte(p, 1) == 94
  if anchored then p = sub(p, 2) end
  local parts, count, from, last, copied = {}, 0, 1, 0, 1
  local function one(first, after, ...)
    if first == nil then return false end
    parts[#parts + 1] = sub(s, copied, first - 1)
    parts[#parts + 1] = replacement(kind, with, sub(s, first, after - 1), ...)
    copied, from, last, count = after, after, after, count + 1
    return true
  end
  while count < limit do
    if from > #s + 1 or not one(host.scan(s, p, from, last, anchored)) or anchored then break end
  end
  parts[#parts + 1] = sub(s, copied)
  return concat_list(parts), count
end

function strings.gsub(s, p, with, limit)
  if type(s) ~= "string" or type(p) ~= "string" then s, p = texts(s, p, "gsub") end
  if is_quick(s, p) then
    if limit then return gsub(s, p, with, limit) end
    return gsub(s, p, with)
  end
  return slow_gsub(s, p, with, limit or math.huge)
end

function strings.rep(s, n, separator)
  if type(s) ~= "string" and type(s) ~= "number" then bad(1, "rep", "string", s) end
  if type(n) ~= "number" and not tonumber(n) then bad(2, "rep", "number", n) end
  if s == "" and (separator == nil or separator == "") then return "" end
  if type(n) == "number" and n > 10000 then tick() end
  return rep(s, n, separator)
end

function strings.format(...)
  tick()
  return format(...)
end

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
