/**
 * The context of a connection: values that live with it, in Lua, in its object. A context holds values, not references: tables are
 * copied on the way in and out. Run once per VM with `...` = host functions; returns the methods and what the API calls.
 */
import type { Connections } from './connection-state.js';
import type { HostFunction, ModuleHost } from './mix/module.js';
import type { Stack } from './stack.js';

export const CONTEXT_LUA = `
local host, methods = ...
local kept, keep = debug.getuservalue, debug.setuservalue
local type, next, error, tostring, tonumber = type, next, error, tostring, tonumber
local SLOT, MAX_DEPTH = 3, 32

local function copy(value, depth, level)
  local kind = type(value)
  if kind == "table" then
    if depth > MAX_DEPTH then error("a context keeps tables up to " .. MAX_DEPTH .. " levels deep", level) end
    local to = next(value) == nil and host.same_emptiness(value) or {}
    for key, inner in next, value do to[copy(key, depth + 1, level + 1)] = copy(inner, depth + 1, level + 1) end
    return to
  end
  if kind == "function" or kind == "thread" or kind == "userdata" and not host.is_constant(value) then
    error("a context keeps values, not a " .. kind, level)
  end
  return value
end

local function key_of(key, name, level)
  if type(key) == "string" then return key end
  if type(key) == "number" then return tostring(key) end
  error("bad argument #1 to '" .. name .. "' (string expected, got " .. (key == nil and "no value" or type(key)) .. ")", level)
end

local function set(conn, key, value)
  local context = kept(conn, SLOT)
  if context == nil then
    if value == nil then return end
    context = {}
    keep(conn, context, SLOT)
  end
  context[key] = value
  if value ~= nil then host.wake(conn, key) end
end

local function set_all(conn, values)
  keep(conn, values, SLOT)
  for key in next, values do host.wake(conn, key) end
end

function methods.context(conn)
  host.check(conn)
  local context = kept(conn, SLOT)
  return context and copy(context, 0, 3) or {}
end

function methods.context_value(conn, key)
  host.check(conn)
  local context = kept(conn, SLOT)
  if context == nil then return nil end
  return copy(context[key_of(key, "context_value", 3)], 0, 3)
end

function methods.set_context(conn, values)
  host.check(conn)
  if type(values) ~= "table" then error("bad argument #1 to 'set_context' (table expected, got " .. type(values) .. ")", 2) end
  local context = {}
  for key, value in next, values do context[key_of(key, "set_context", 3)] = copy(value, 0, 3) end
  set_all(conn, context)
end

function methods.set_context_value(conn, key, value)
  host.check(conn)
  set(conn, key_of(key, "set_context_value", 3), copy(value, 0, 3))
end

function methods.wait_context_value(conn, key, seconds)
  host.check(conn)
  key = key_of(key, "wait_context_value", 3)
  local context = kept(conn, SLOT)
  if context == nil or context[key] == nil then
    if seconds ~= nil and tonumber(seconds) == nil then
      error("bad argument #2 to 'wait_context_value' (number expected, got " .. type(seconds) .. ")", 2)
    end
    if not host.wait(conn, key, seconds) then return nil end
    context = kept(conn, SLOT)
    if context == nil then return nil end
  end
  return copy(context[key], 0, 3)
end

return set, set_all
`;

const LONGEST_WAIT_MS = 2 ** 31 - 1;

/** The host functions that CONTEXT_LUA gets. */
export function contextFunctions({ stack, wait }: ModuleHost, connections: Connections): Record<string, HostFunction> {
  return {
    check(L) {
      connections.at(L);
      return 0;
    },
    wake(L) {
      connections.at(L)?.wake(keyAt(stack, L));
      return 0;
    },
    /** (conn, key, seconds): true when the key was set, false when the time is over or the connection closes. */
    wait(L) {
      const state = connections.at(L);
      const key = keyAt(stack, L);
      const seconds = stack.optNumber(L, 3);
      return wait(L, (resume) => {
        const answer = (set: boolean) =>
          resume((L) => {
            stack.pushBoolean(L, set ? 1 : 0);
            return 1;
          });
        if (state === undefined || state.closed || (seconds !== undefined && !(seconds > 0))) return answer(false);
        state.waiters ??= new Map();
        const waiting = state.waiters.get(key) ?? new Set();
        state.waiters.set(key, waiting);
        let timer: NodeJS.Timeout | undefined;
        const end = (set: boolean): void => {
          clearTimeout(timer);
          waiting.delete(end);
          answer(set);
        };
        waiting.add(end);
        if (seconds !== undefined) {
          timer = setTimeout(
            () => {
              if (waiting.size === 1 && state.waiters?.get(key) === waiting) state.waiters.delete(key);
              end(false);
            },
            Math.min(seconds * 1000, LONGEST_WAIT_MS),
          );
        }
      });
    },
    /** A new empty table that is an empty array if the argument is one. */
    same_emptiness(L) {
      if (stack.isEmptyArray(L, 1)) stack.pushEmptyArray(L);
      else stack.createTable(L, 0, 0);
      return 1;
    },
    is_constant(L) {
      stack.pushBoolean(L, stack.isNull(L, 1) || stack.isEmptyArray(L, 1) ? 1 : 0);
      return 1;
    },
  };
}

/** Keys are compared as bytes. */
function keyAt(stack: Stack, L: number): string {
  return stack.checkBytes(L, 2).toString('latin1');
}
