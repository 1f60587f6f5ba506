/** mix.redis: pools by the names of the configuration, replies as Lua values. The connections are in redis-pool.ts. */
import type { RedisConfig } from '../../config/schema.js';
import { LUA_TYPE, ScriptError } from '../stack.js';
import type { MakeModule, ModuleHost } from './module.js';
import { RedisPool, type RedisReply } from './redis-pool.js';
import { Refused } from './refused.js';

/** The object that scripts get; one per name. */
const LUA = `
local internal = ...
local command, problem = internal.command, internal.problem
local setmetatable = setmetatable
local connections = {}
mix.redis = {}

function mix.redis.connection(name)
  local connection = connections[name]
  if connection then return connection end
  local err = problem(name)
  if err then return nil, err end
  local methods = { command = function(_, ...) return command(name, ...) end }
  connection = setmetatable({}, { __index = methods, __metatable = false, __name = "redis" })
  connections[name] = connection
  return connection
end
`;

export function redis(servers: readonly RedisConfig[]): MakeModule {
  return (vm) => {
    const { stack } = vm;
    const pools = new Map(servers.map((server) => [server.name, new RedisPool(server, vm.log, vm.meter)]));
    return {
      lua: { name: 'redis', text: LUA },
      internal: {
        /** Why there is no pool of that name; nil when there is one. */
        problem(L) {
          const name = stack.checkText(L, 1);
          if (pools.has(name)) stack.pushNil(L);
          else stack.pushText(L, `the configuration has no Redis server "${name}" (lua.redis)`);
          return 1;
        },
        command(L) {
          const pool = pools.get(stack.checkText(L, 1))!;
          const words = readWords(vm, L);
          return vm.wait(L, (resume) => {
            pool.command(words).then((reply) =>
              resume((L) => {
                if (reply instanceof Refused) return stack.pushFailure(L, reply.error);
                pushReply(vm, L, reply);
                return 1;
              }),
            );
          });
        },
      },
      close() {
        for (const pool of pools.values()) pool.close();
      },
    };
  };
}

/** The command and its arguments: strings as bytes, numbers as Lua writes them. */
function readWords({ stack }: ModuleHost, L: number): Buffer[] {
  const words: Buffer[] = [];
  const top = stack.getTop(L);
  for (let at = 2; at <= top; at++) {
    const type = stack.type(L, at);
    if (type !== LUA_TYPE.string && type !== LUA_TYPE.number) {
      const found = stack.typeName(L, type);
      throw new ScriptError(`bad argument #${at - 1} to 'command' (string or number expected, got ${found})`);
    }
    words.push(stack.copyBytes(L, at));
  }
  return words;
}

/** Within a list, nil would be a hole: it is false there, and an error a table with `err`, as in Redis's own scripts. */
function pushReply(vm: ModuleHost, L: number, reply: RedisReply, within = false): void {
  const { stack } = vm;
  if (reply === null) {
    if (within) stack.pushBoolean(L, 0);
    else stack.pushNil(L);
  } else if (typeof reply === 'bigint') stack.pushInteger(L, reply);
  else if (Buffer.isBuffer(reply)) stack.pushBytes(L, reply);
  else if (reply instanceof Refused) {
    stack.createTable(L, 0, 1);
    stack.pushText(L, reply.error);
    stack.setField(L, 'err');
  } else {
    if (stack.checkStack(L, 4) === 0) throw new ScriptError('no Lua stack left');
    const list = reply as readonly RedisReply[];
    stack.createTable(L, list.length, 0);
    list.forEach((inner, i) => {
      pushReply(vm, L, inner, true);
      stack.rawSetI(L, -2, BigInt(i + 1));
    });
  }
}
