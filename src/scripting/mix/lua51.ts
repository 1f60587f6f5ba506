/**
 * The Lua 5.1 names that older scripts use, in Lua itself. setfenv and getfenv need
 * it, and keep it to themselves.
 */
import type { MakeModule } from './module.js';

const LUA = `
local debug, load, type, error, math_type = debug, load, type, error, math.type
local getinfo, getupvalue, upvaluejoin, setupvalue = debug.getinfo, debug.getupvalue, debug.upvaluejoin, debug.setupvalue

unpack = table.unpack
string.gfind = string.gmatch
math.mod = math.fmod

function table.getn(t) return #t end

function table.maxn(t)
  local largest = 0
  for key in next, t do
    if type(key) == "number" and key > largest then largest = key end
  end
  return largest
end

-- Whole numbers stay whole where they are exact: 5.1 prints 2^10 as 1024, and scripts build keys from it.
function math.pow(x, y)
  local result = x ^ y
  if math_type(x) == "integer" and math_type(y) == "integer" and result > -0x1p53 and result < 0x1p53 then
    return math.tointeger(result) or result
  end
  return result
end

function loadstring(text, name)
  if type(text) ~= "string" then error("bad argument #1 to 'loadstring' (string expected, got " .. type(text) .. ")", 2) end
  return load(text, name or text, "t")
end

-- In Lua 5.4 the environment of a function is its upvalue _ENV; a function that uses no globals has none.
local function environment_slot(f)
  for i = 1, 255 do
    local name = getupvalue(f, i)
    if name == nil then return nil end
    if name == "_ENV" then return i end
  end
end

local function function_at(f, name)
  if type(f) == "function" then return f end
  if type(f) ~= "number" or f < 0 then error("bad argument #1 to '" .. name .. "' (function or level expected)", 3) end
  if f == 0 then
    if name == "setfenv" then error("setfenv(0) is not supported: a VM has one global table", 3) end
    return nil
  end
  local found = getinfo(f + 2, "f")
  if found == nil then error("bad argument #1 to '" .. name .. "' (invalid level)", 3) end
  return found.func
end

local globals = _G

function getfenv(f)
  local target = function_at(f or 1, "getfenv")
  local slot = target and environment_slot(target)
  if slot == nil then return globals end
  local _, env = getupvalue(target, slot)
  return env
end

function setfenv(f, env)
  if type(env) ~= "table" then error("bad argument #2 to 'setfenv' (table expected, got " .. type(env) .. ")", 2) end
  local target = function_at(f, "setfenv")
  if getinfo(target, "S").what == "C" then error("'setfenv' cannot change environment of given object", 2) end
  local slot = environment_slot(target)
  if slot then
    -- Its own _ENV from now on: functions share one with the chunk that they come from.
    upvaluejoin(target, slot, function() return env end, 1)
  end
  return target
end
`;

export const lua51: MakeModule = () => ({ lua: { name: 'lua51', text: LUA } });
