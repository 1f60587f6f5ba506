/**
 * The part of sandbox.ts that guards the string functions: patterns that may take long go through a matcher with a budget
 * (pattern.ts), and the clock is looked at before whatever takes more than a few microseconds.
 */

export const STRINGS_LUA = `-- ── strings ──

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
end`;
