import t from 'tap';
import { resolveSeeds } from '../../src/links/discovery.js';
import { TestLog } from './world.js';

const names: Record<string, string[]> = {
  'mesh.example': ['10.0.0.1', '10.0.0.2', 'fd00::1'],
  one: ['10.0.0.2'],
};
const find = async (name: string) => {
  if (!(name in names)) throw new Error(`getaddrinfo ENOTFOUND ${name}`);
  return names[name];
};

t.test('a name stands for all its addresses, each once and in order', async (t) => {
  t.strictSame(await resolveSeeds(['mesh.example:6788', 'one:6788', 'one:7000'], new TestLog(), find), [
    '10.0.0.1:6788',
    '10.0.0.2:6788',
    '[fd00::1]:6788',
    '10.0.0.2:7000',
  ]);
});

t.test('addresses are taken as they are, without asking anybody', async (t) => {
  const never = async () => t.fail('nothing to look up') as never;
  t.strictSame(await resolveSeeds(['127.0.0.1:1', '[::1]:2'], new TestLog(), never), ['127.0.0.1:1', '[::1]:2']);
});

t.test('a name that is not found is logged and does not hide the others', async (t) => {
  const log = new TestLog();
  t.strictSame(await resolveSeeds(['gone:1', 'one:1'], log, find), ['10.0.0.2:1']);
  t.match(log.lines, [{ level: 'warn', message: 'seed not found', fields: { seed: 'gone:1', why: /ENOTFOUND gone/ } }]);
});

t.test('the system’s own look-up finds this machine', async (t) => {
  const found = await resolveSeeds(['localhost:5'], new TestLog());
  t.ok(found.includes('127.0.0.1:5') || found.includes('[::1]:5'), found.join());
});
