/** `mix.server.option`: the `options` of this server in the configuration. */
import type { ServerConfig } from '../../config/schema.js';
import type { MakeModule } from './module.js';

export function server(options: ServerConfig['options']): MakeModule {
  const values = new Map(options.map(({ name, value }) => [name, value]));
  return ({ stack }) => ({
    functions: {
      'mix.server.option'(L) {
        const value = values.get(stack.checkText(L, 1));
        if (value === undefined) stack.pushNil(L);
        else if (typeof value === 'string') stack.pushText(L, value);
        else if (typeof value === 'boolean') stack.pushBoolean(L, value ? 1 : 0);
        else if (Number.isSafeInteger(value)) stack.pushCount(L, value);
        else stack.pushNumber(L, value);
        return 1;
      },
    },
  });
}
