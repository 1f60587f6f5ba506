/** The `bit` library with the semantics of LuaBitOp 1.0.2: arguments taken modulo 2^32, signed 32-bit results. In Lua itself. */
import type { MakeModule } from './module.js';

const LUA = `
local math_type, tonumber, fmod, tointeger = math.type, tonumber, math.fmod, math.tointeger
local format, select, type, error = string.format, select, type, error

-- The low 32 bits of a number; fractions round to the nearest, as LuaBitOp does.
local function low(x, position, name)
  if math_type(x) == "integer" then return x & 0xffffffff end
  local n = tonumber(x)
  if n == nil or type(x) == "boolean" then
    error(format("bad argument #%d to '%s' (number expected, got %s)", position, name, x == nil and "no value" or type(x)), 3)
  end
  if math_type(n) == "integer" then return n & 0xffffffff end
  if n > -0x1p51 and n < 0x1p51 then n = (n + 0x1.8p52) - 0x1.8p52 end
  n = fmod(n, 0x1p32)
  return (tointeger(n) or 0) & 0xffffffff
end

local function signed(x)
  return ((x & 0xffffffff) ~ 0x80000000) - 0x80000000
end

bit = {}

function bit.tobit(x) return signed(low(x, 1, "tobit")) end
function bit.bnot(x) return signed(~low(x, 1, "bnot")) end

function bit.band(x, ...)
  local result = low(x, 1, "band")
  for i = 1, select("#", ...) do result = result & low((select(i, ...)), i + 1, "band") end
  return signed(result)
end

function bit.bor(x, ...)
  local result = low(x, 1, "bor")
  for i = 1, select("#", ...) do result = result | low((select(i, ...)), i + 1, "bor") end
  return signed(result)
end

function bit.bxor(x, ...)
  local result = low(x, 1, "bxor")
  for i = 1, select("#", ...) do result = result ~ low((select(i, ...)), i + 1, "bxor") end
  return signed(result)
end

-- Shifts use the low five bits of their count.
function bit.lshift(x, n) return signed(low(x, 1, "lshift") << (low(n, 2, "lshift") & 31)) end
function bit.rshift(x, n) return signed(low(x, 1, "rshift") >> (low(n, 2, "rshift") & 31)) end
function bit.arshift(x, n) return signed(low(x, 1, "arshift")) // (1 << (low(n, 2, "arshift") & 31)) end

function bit.rol(x, n)
  local bits, count = low(x, 1, "rol"), low(n, 2, "rol") & 31
  return signed(bits << count | bits >> (32 - count))
end

function bit.ror(x, n)
  local bits, count = low(x, 1, "ror"), low(n, 2, "ror") & 31
  return signed(bits >> count | bits << (32 - count))
end

function bit.bswap(x)
  local b = low(x, 1, "bswap")
  return signed(b >> 24 | (b >> 8 & 0xff00) | (b & 0xff00) << 8 | b << 24)
end

-- n digits, 8 when left out; a negative n gives capital letters.
function bit.tohex(x, n)
  local bits = low(x, 1, "tohex")
  local digits = n == nil and 8 or signed(low(n, 2, "tohex"))
  local text = format(digits < 0 and "%08X" or "%08x", bits)
  if digits < 0 then digits = -digits end
  if digits >= 8 then return text end
  return text:sub(9 - digits)
end
`;

export const bit: MakeModule = () => ({ lua: { name: 'bit', text: LUA } });
