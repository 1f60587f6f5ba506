/** `mix.queue.push`: values for back ends, as JSON. */
import type { ScriptConnection, ScriptHost } from '../roles.js';
import { JsonEncoder } from './json-encode.js';
import type { MakeModule } from './module.js';

export function queue(host: ScriptHost, connection: () => ScriptConnection | null): MakeModule {
  return ({ stack }) => {
    const encoder = new JsonEncoder(stack);
    return {
      functions: {
        'mix.queue.push'(L) {
          const topic = stack.checkUtf8(L, 1);
          stack.setTop(L, 2);
          const problem = encoder.encode(L);
          if (problem !== null) return stack.pushFailure(L, problem);
          const json = encoder.out.toString('utf8', 0, encoder.length);
          const pushed = host.queuePush(topic, connection()?.id ?? '', json);
          if (!pushed.ok) return stack.pushFailure(L, pushed.error);
          stack.pushCount(L, pushed.length);
          return 1;
        },
      },
    };
  };
}
