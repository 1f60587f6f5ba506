/** The package as somebody else gets it: packed, unpacked into an empty project, type-checked and run there. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../..', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'lumesh-packed-'));
t.teardown(() => rmSync(project, { recursive: true }));

/** What a TypeScript program for Node.js has beside its dependencies. */
const TYPES = ['@types/node', 'undici-types'];

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
  // What an install of the package would bring, and nothing else: our own tools would hide a dependency that is not declared.
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const [path, { dev, optional }] of Object.entries<{ dev?: true; optional?: true }>(packages)) {
    const name = /^node_modules\/((@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
    if (name === undefined || (dev && !TYPES.includes(name))) continue;
    if (optional && !existsSync(join(root, path))) continue; // another platform's binary
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, path), join(modules, name));
  }
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz')) ?? '';
  execFileSync('tar', ['-xzf', join(project, tarball), '-C', project]);
  cpSync(join(project, 'package'), join(modules, 'lumesh'), { recursive: true });
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
  writeFileSync(join(project, 'program.mts'), PROGRAM);
  const tsc = (...options: string[]) =>
    execFileSync(
      process.execPath,
      [join(root, 'node_modules/typescript/bin/tsc'), '--strict', '--target', 'es2022', ...options, 'program.mts'],
      { cwd: project },
    );
  tsc('--module', 'esnext', '--moduleResolution', 'bundler', '--noEmit', '--skipLibCheck');
  tsc('--module', 'nodenext');
  const out = execFileSync(process.execPath, ['program.mjs'], { cwd: project, encoding: 'utf8' });
  t.equal(out.trim(), 'fine');
});
