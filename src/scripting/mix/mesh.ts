/** `mix.mesh`: publish and send. */
import { channelProblem } from '../../core/channel.js';
import type { ScriptHost } from '../roles.js';
import type { Stack } from '../stack.js';
import { isBinary, isText, NOT_UTF8 } from './connection.js';
import type { MakeModule } from './module.js';

interface Asked {
  readonly to: string;
  readonly payload: Buffer;
  readonly binary: boolean;
}

export function mesh(host: ScriptHost): MakeModule {
  return ({ stack, wait }) => ({
    functions: {
      'mix.mesh.publish'(L) {
        const asked = readPublish(stack, L);
        if (typeof asked === 'string') return refuse(stack, L, asked);
        return wait(L, (resume) => {
          const refused = host.publish(asked.to, asked.payload, asked.binary, ({ success, fail }) =>
            resume((L) => {
              stack.pushCount(L, success);
              stack.pushCount(L, fail);
              return 2;
            }),
          );
          if (refused !== null) resume((L) => refuse(stack, L, refused));
        });
      },
      'mix.mesh.publish_nowait'(L) {
        const asked = readPublish(stack, L);
        const problem = typeof asked === 'string' ? asked : host.publish(asked.to, asked.payload, asked.binary, null);
        return stack.pushTextOrNil(L, problem);
      },
      'mix.mesh.send'(L) {
        const asked = read(stack, L);
        if (typeof asked === 'string') return stack.pushTextOrNil(L, asked);
        return wait(L, (resume) => {
          host.send(asked.to, asked.payload, asked.binary, (problem) => resume((L) => stack.pushTextOrNil(L, problem)));
        });
      },
    },
  });
}

/** No counts, and why: numbers come first, so that a script may compare them without a look at the error. */
function refuse(stack: Stack, L: number, problem: string): 3 {
  stack.pushCount(L, 0);
  stack.pushCount(L, 0);
  stack.pushText(L, problem);
  return 3;
}

/** (receiver, data [, type]) */
function read(stack: Stack, L: number): Asked | string {
  const binary = isBinary(stack, L, 3);
  const to = stack.checkText(L, 1);
  const payload = stack.copyBytes(L, 2);
  if (!binary && !isText(payload)) return NOT_UTF8;
  return { to, payload, binary };
}

function readPublish(stack: Stack, L: number): Asked | string {
  if (!isText(stack.checkBytes(L, 1))) return 'channel is not valid UTF-8';
  const asked = read(stack, L);
  if (typeof asked === 'string') return asked;
  return channelProblem(asked.to) ?? asked;
}
