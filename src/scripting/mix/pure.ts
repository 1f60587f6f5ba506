/** The functions of the library that only compute: base64, pack, text, URLs, digests. What they do is in the files imported. */
import { LUA_TYPE, ScriptError, type Stack } from '../stack.js';
import { base64Decode, base64Encode } from './base64.js';
import { digest, hmacSha256, toHex, uuid } from './hash.js';
import type { HostFunction, MakeModule } from './module.js';
import type { PackValue } from './php-format.js';
import { phpPack } from './php-pack.js';
import { phpUnpack } from './php-unpack.js';
import { Refused } from './refused.js';
import { pushTable, type TableValue } from './tables.js';
import { parseStr, strSplit } from './text.js';
import { parseUrl } from './url.js';

type Functions = Record<string, HostFunction>;

export const pure: MakeModule = ({ stack }) => ({
  functions: { ...digests(stack), ...codecs(stack), ...texts(stack) },
});

/** Pushes a result, or nil and why there is none. */
function answer(stack: Stack, L: number, result: TableValue | Refused): number {
  if (result instanceof Refused) return stack.pushFailure(L, result.error);
  pushTable(stack, L, result);
  return 1;
}

function digests(stack: Stack): Functions {
  const bytes = (L: number) => stack.checkBytes(L, 1);
  return {
    'mix.md5': (L) => answer(stack, L, toHex(digest('md5', bytes(L)))),
    'mix.md5_bin': (L) => answer(stack, L, digest('md5', bytes(L))),
    'mix.sha1': (L) => answer(stack, L, toHex(digest('sha1', bytes(L)))),
    'mix.sha1_bin': (L) => answer(stack, L, digest('sha1', bytes(L))),
    'mix.sha256': (L) => answer(stack, L, toHex(digest('sha256', bytes(L)))),
    'mix.hmac_sha256': (L) => answer(stack, L, toHex(hmacSha256(stack.copyBytes(L, 1), stack.checkBytes(L, 2)))),
    'mix.uuid': (L) => answer(stack, L, uuid()),
    'mix.now_ms': (L) => answer(stack, L, BigInt(Date.now())),
  };
}

function codecs(stack: Stack): Functions {
  return {
    'mix.base64_encode': (L) => answer(stack, L, base64Encode(stack.checkBytes(L, 1))),
    'mix.base64_decode': (L) => answer(stack, L, base64Decode(stack.checkBytes(L, 1))),
    'mix.php_pack'(L) {
      const format = stack.checkBytes(L, 1).toString('latin1');
      const values: PackValue[] = [];
      for (let at = 2; at <= stack.getTop(L); at++) values.push(packValue(stack, L, at));
      return answer(stack, L, phpPack(format, values));
    },
    'mix.php_unpack'(L) {
      const format = stack.checkBytes(L, 1).toString('latin1');
      return answer(stack, L, phpUnpack(format, stack.copyBytes(L, 2)));
    },
    'mix.bytes_tostring'(L) {
      stack.checkTable(L, 1);
      const out = Buffer.alloc(Number(stack.rawLength(L, 1)));
      for (let i = 0; i < out.length; i++) {
        stack.rawGetI(L, 1, BigInt(i + 1));
        const byte = stack.type(L, -1) === LUA_TYPE.number ? stack.toNumber(L, -1) : -1;
        if (!(Number.isInteger(byte) && byte >= 0 && byte <= 255)) {
          throw new ScriptError(
            `bad argument #1 to 'bytes_tostring' (element ${i + 1} is not an integer from 0 to 255)`,
          );
        }
        out[i] = byte;
        stack.setTop(L, 1);
      }
      return answer(stack, L, out);
    },
  };
}

/** A Lua integer, float or string, as pack takes it. */
function packValue(stack: Stack, L: number, at: number): PackValue {
  const type = stack.type(L, at);
  if (type === LUA_TYPE.string) return stack.copyBytes(L, at);
  if (type !== LUA_TYPE.number) {
    const found = stack.typeName(L, type);
    throw new ScriptError(`bad argument #${at} to 'php_pack' (string or number expected, got ${found})`);
  }
  return stack.isInteger(L, at) === 1 ? stack.toInteger(L, at) : stack.toNumber(L, at);
}

function texts(stack: Stack): Functions {
  const latin1 = (L: number) => stack.checkBytes(L, 1).toString('latin1');
  return {
    'mix.str_split'(L) {
      const separator = stack.copyBytes(L, 2);
      const text = stack.copyBytes(L, 1);
      // The string stays where it is while it lies on the stack, so its parts can be pushed from there.
      const pointer = stack.toLString(L, 1);
      stack.createTable(L, 4, 0);
      let count = 0;
      for (const [from, to] of strSplit(text, separator)) {
        stack.pushLString(L, pointer + from, to - from);
        stack.rawSetI(L, -2, BigInt(++count));
      }
      return 1;
    },
    'mix.parse_str': (L) => answer(stack, L, parseStr(latin1(L))),
    'mix.parse_url'(L) {
      const parts = parseUrl(latin1(L));
      return answer(stack, L, parts instanceof Refused ? parts : new Map(Object.entries(parts)));
    },
  };
}
