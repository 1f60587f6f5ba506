/** The package as somebody else gets it: packed, unpacked into an empty project, type-checked and run there. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../..', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'lumesh-packed-'));
t.teardown(() => rmSync(project, { recursive: true }));

const PROGRAM = `
import { createNode, ConfigError, MeshError, type LumeshNode, type PublishResult } from 'lumesh';

const node: LumeshNode = await createNode({ cluster: { port: 0 }, api: { port: 0, grpcPort: 0 }, servers: [], logging: { level: 'error' } });
const got: string[] = [];
const subscription = await node.subscribe('c', (message) => got.push(message.text()));
const result: PublishResult = await node.publish('c', 'x');
if (result.success !== 1 || got[0] !== 'x') throw new Error('not delivered: ' + JSON.stringify(result));
subscription.close();
if ((await node.publish('c', 'y')).success !== 0) throw new Error('delivered after close');
const refused = await node.publish('no good', 'x').then(() => null, (error: unknown) => error);
if (!(refused instanceof MeshError) || refused.code !== 101) throw new Error('a bad channel was accepted');
await node.close();
const wrong = await createNode({ cluster: { port: -1 } }).then(() => null, (error: unknown) => error);
if (!(wrong instanceof ConfigError)) throw new Error('a bad setting was accepted');
console.log('fine');
`;

t.test('a packed lumesh has its types and exports right and runs in an empty project', async (t) => {
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', project], { cwd: root });
  const modules = join(project, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz')) ?? '';
  execFileSync('tar', ['-xzf', join(project, tarball), '-C', project]);
  cpSync(join(project, 'package'), join(modules, 'lumesh'), { recursive: true });
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
  writeFileSync(join(project, 'program.mts'), PROGRAM);
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node', 'program.mts'];
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options], { cwd: project });
  const out = execFileSync(process.execPath, ['program.mjs'], { cwd: project, encoding: 'utf8' });
  t.equal(out.trim(), 'fine');
});
