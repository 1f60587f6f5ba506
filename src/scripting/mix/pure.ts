/** The functions of the library that only compute: base64, pack, text, URLs, digests. What they do is in the files imported. */
import { LUA_TYPE, ScriptError } from '../stack.js';
import { base64Decode, base64Encode } from './base64.js';
import { digest, hmacSha256, toHex, uuid } from './hash.js';
import type { MakeModule } from './module.js';
import type { PackValue } from './php-format.js';
import { phpPack } from './php-pack.js';
import { phpUnpack } from './php-unpack.js';
import { Refused } from './refused.js';
import { pushTable, type TableValue } from './tables.js';
import { parseStr, strSplit } from './text.js';
import { parseUrl } from './url.js';

export const pure: MakeModule = ({ stack }) => {
  const bytes = (L: number, at: number) => stack.checkBytes(L, at);
  const latin1 = (L: number, at: number) => stack.checkBytes(L, at).toString('latin1');

  const answer = (L: number, result: Buffer | Refused): number => {
    if (result instanceof Refused) return stack.pushFailure(L, result.error);
    stack.pushBytes(L, result);
    return 1;
  };
  const answerTable = (L: number, result: TableValue | Refused): number => {
    if (result instanceof Refused) return stack.pushFailure(L, result.error);
    pushTable(stack, L, result);
    return 1;
  };

  /** A Lua integer, float or string, as pack takes it. */
  const packValue = (L: number, at: number): PackValue => {
    const type = stack.type(L, at);
    if (type === LUA_TYPE.string) return stack.copyBytes(L, at);
    if (type !== LUA_TYPE.number) {
      throw new ScriptError(
        `bad argument #${at} to 'php_pack' (string or number expected, got ${stack.typeName(L, type)})`,
      );
    }
    return stack.isInteger(L, at) === 1 ? stack.toInteger(L, at) : stack.toNumber(L, at);
  };

  return {
    functions: {
      'mix.base64_encode': (L) => answer(L, base64Encode(bytes(L, 1))),
      'mix.base64_decode': (L) => answer(L, base64Decode(bytes(L, 1))),
      'mix.md5': (L) => answer(L, toHex(digest('md5', bytes(L, 1)))),
      'mix.md5_bin': (L) => answer(L, digest('md5', bytes(L, 1))),
      'mix.sha1': (L) => answer(L, toHex(digest('sha1', bytes(L, 1)))),
      'mix.sha1_bin': (L) => answer(L, digest('sha1', bytes(L, 1))),
      'mix.sha256': (L) => answer(L, toHex(digest('sha256', bytes(L, 1)))),
      'mix.hmac_sha256': (L) => answer(L, toHex(hmacSha256(stack.copyBytes(L, 1), bytes(L, 2)))),
      'mix.uuid': (L) => answer(L, uuid()),
      'mix.now_ms'(L) {
        stack.pushCount(L, Date.now());
        return 1;
      },
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
      'mix.parse_str': (L) => answerTable(L, parseStr(latin1(L, 1))),
      'mix.parse_url'(L) {
        const parts = parseUrl(latin1(L, 1));
        return answerTable(L, parts instanceof Refused ? parts : new Map(Object.entries(parts)));
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
        return answer(L, out);
      },
      'mix.php_pack'(L) {
        const format = latin1(L, 1);
        const values: PackValue[] = [];
        for (let at = 2; at <= stack.getTop(L); at++) values.push(packValue(L, at));
        return answer(L, phpPack(format, values));
      },
      'mix.php_unpack': (L) => answerTable(L, phpUnpack(latin1(L, 1), stack.copyBytes(L, 2))),
    },
  };
};
