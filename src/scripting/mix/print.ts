/** `print`: one log line with every argument, tables with what is in them, bounded. In Lua itself. */
import { line } from './log.js';
import type { MakeModule } from './module.js';

const LUA = String.raw`
local write = (...).write
local type, tostring, next, rawlen, format, math_type = type, tostring, next, rawlen, string.format, math.type
local concat, sort, select, getmetatable, rawget = table.concat, table.sort, select, getmetatable, rawget
local match, gsub = string.match, string.gsub

local MAX_DEPTH, MAX_PARTS = 8, 2000

local function quoted(text)
  return (gsub(format("%q", text), "\\\n", "\\n"))
end

local function by_kind(a, b)
  if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
  return type(a) < type(b)
end

local show

local function show_table(value, parts, depth, path)
  if path[value] then parts[#parts + 1] = "<cycle>" return end
  if depth > MAX_DEPTH then parts[#parts + 1] = "{…}" return end
  path[value] = true
  parts[#parts + 1] = "{"
  local length, first, keys = rawlen(value), true, {}
  for i = 1, length do
    if #parts > MAX_PARTS then break end
    if not first then parts[#parts + 1] = ", " end
    first = false
    show(rawget(value, i), parts, depth, path)
  end
  for key in next, value do
    if not (math_type(key) == "integer" and key >= 1 and key <= length) then keys[#keys + 1] = key end
    if #keys > MAX_PARTS then break end
  end
  sort(keys, by_kind)
  for i = 1, #keys do
    if #parts > MAX_PARTS then break end
    local key = keys[i]
    if not first then parts[#parts + 1] = ", " end
    first = false
    if type(key) == "string" and match(key, "^[%a_][%w_]*$") then
      parts[#parts + 1] = key
    else
      parts[#parts + 1] = "["
      show(key, parts, MAX_DEPTH, path)
      parts[#parts + 1] = "]"
    end
    parts[#parts + 1] = " = "
    show(rawget(value, key), parts, depth, path)
  end
  if #parts > MAX_PARTS then parts[#parts + 1] = ", …" end
  parts[#parts + 1] = "}"
  path[value] = nil
end

function show(value, parts, depth, path)
  if type(value) == "table" then
    local meta = getmetatable(value)
    if not (type(meta) == "table" and rawget(meta, "__tostring")) then
      return show_table(value, parts, depth + 1, path)
    end
  end
  parts[#parts + 1] = type(value) == "string" and quoted(value) or tostring(value)
end

function print(...)
  local words = {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "table" then
      local parts = {}
      show(value, parts, 0, {})
      words[i] = concat(parts)
    else
      words[i] = tostring(value)
    end
  end
  write(concat(words, "\t"))
end
`;

export const print: MakeModule = ({ stack, log, where }) => ({
  lua: { name: 'print', text: LUA },
  internal: {
    write(L) {
      log.info(line(stack, L, 1), { at: where(L) });
      return 0;
    },
  },
});
