/** mix.jwt_verify: options from the script, claims back to it. The checks are in jwt-verify.ts. */
import { ScriptError } from '../stack.js';
import { JsonDecoder } from './json-decode.js';
import { verifyJwt } from './jwt-verify.js';
import type { MakeModule } from './module.js';
import { Refused } from './refused.js';
import { Options } from './tables.js';

export const jwt: MakeModule = ({ stack, wait }) => {
  const decoder = new JsonDecoder(stack);

  /** The claims' text stays on the stack below its value, so that the decoder may read it there. */
  const pushClaims = (L: number, claims: Buffer | Refused): number => {
    if (claims instanceof Refused) return stack.pushFailure(L, claims.error);
    stack.pushBytes(L, claims);
    const problem = decoder.decode(L, stack.toLString(L, -1), claims.length);
    return problem === null ? 1 : stack.pushFailure(L, `not a valid token: its claims have ${problem}`);
  };

  return {
    functions: {
      'mix.jwt_verify'(L) {
        const token = stack.checkBytes(L, 1).toString('latin1');
        const key = stack.copyBytes(L, 2);
        const options = new Options(stack, L, 3, 'mix.jwt_verify');
        const issuer = options.texts('issuer');
        const audience = options.texts('audience');
        const algorithms = options.texts('algorithms');
        const clockTolerance = options.number('clock_tolerance');
        if (clockTolerance !== undefined && !(clockTolerance >= 0)) {
          throw new ScriptError('mix.jwt_verify: clock_tolerance must not be negative');
        }
        return wait(L, (resume) => {
          verifyJwt(token, key, {
            ...(issuer ? { issuer } : {}),
            ...(audience ? { audience } : {}),
            ...(algorithms ? { algorithms } : {}),
            ...(clockTolerance !== undefined ? { clockTolerance } : {}),
          }).then((claims) => resume((L) => pushClaims(L, claims)));
        });
      },
    },
  };
};
