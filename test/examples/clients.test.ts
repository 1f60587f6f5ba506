/** The clients of examples/clients in every language that is installed, each against one node of a live mesh of two. */
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { WebSocket } from 'ws';
import { createNode, type LumeshNode } from '../../src/index.js';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../../examples/clients/', import.meta.url));
const TEXT = 'Grüße "1" \\ 2';
/** Built once. */
const goProgram = join(t.testdir(), 'go-client');

/** What to run, for which transports, and a command that succeeds where the language (with its packages) is there. */
interface Language {
  readonly name: string;
  readonly command: readonly string[];
  readonly grpc?: true;
  readonly transports: readonly string[];
  readonly needs: readonly string[];
}

const LANGUAGES: readonly Language[] = [
  { name: 'curl', command: ['curl/publish.sh'], transports: ['http'], needs: ['curl', '--version'] },
  {
    name: 'Python, standard library',
    command: ['python3', 'python/client.py'],
    grpc: true,
    transports: ['http'],
    needs: ['python3', '--version'],
  },
  {
    name: 'Python, with its packages',
    command: ['python3', 'python/client.py'],
    grpc: true,
    transports: ['http', 'websocket', 'grpc'],
    needs: ['python3', '-c', 'import websockets.sync.client, grpc, grpc_tools'],
  },
  {
    name: 'Go',
    command: [goProgram],
    transports: ['http', 'websocket'],
    needs: ['go', '-C', `${folder}go`, 'build', '-o', goProgram, '.'],
  },
  { name: 'PHP', command: ['php', 'php/client.php'], transports: ['http'], needs: ['php', '--version'] },
  {
    name: 'Java',
    command: ['java', 'java/Client.java'],
    transports: ['http', 'websocket'],
    needs: ['javac', '--version'],
  },
  {
    name: 'Node.js',
    command: [process.execPath, 'node/client.mjs'],
    grpc: true,
    transports: ['http', 'websocket', 'grpc'],
    needs: [process.execPath, '--version'],
  },
];

const USER = 'back-end:secret';

function settings(id: string, seeds: string[]) {
  return {
    node: { id },
    cluster: { port: 0, seeds, profile: 'local' as const },
    api: { port: 0, grpcPort: 0 },
    access: { users: [{ username: 'back-end', password: 'secret' }] },
    servers: [{ port: 0, bind: '127.0.0.1' }],
    drainSeconds: 0,
    logging: { level: 'error' as const },
  };
}

/** Subscribes a client to `channel` on a node; `received` fills with what arrives. */
async function subscriber(node: LumeshNode, channel: string): Promise<string[]> {
  const received: string[] = [];
  const socket = new WebSocket(`ws://${node.addresses.clients[0]}`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.send(JSON.stringify({ op: 'subscribe', channel }));
  await new Promise((resolve) => socket.once('message', resolve));
  socket.on('message', (bytes) => received.push(String(bytes)));
  return received;
}

t.test('clients in other languages publish to a subscriber on another node', async (t) => {
  const first = await createNode(settings('one', []));
  t.teardown(() => first.close());
  const second = await createNode(settings('two', [first.addresses.peers]));
  t.teardown(() => second.close());
  for (const [index, language] of LANGUAGES.entries()) {
    if (spawnSync(language.needs[0], language.needs.slice(1), { stdio: 'ignore' }).status !== 0) {
      t.pass(`${language.name} is not installed, or its packages cannot be had`, { skip: true });
      continue;
    }
    await t.test(language.name, async (t) => {
      const channel = `clients:${index}`;
      const received = await subscriber(first, channel);
      const [program, ...args] = language.command;
      const targets = [`http://${second.addresses.api}`, ...(language.grpc ? [second.addresses.grpc] : [])];
      const file = program.startsWith('curl/') ? folder + program : program;
      const { stdout } = await run(file, [...args, ...targets, channel, TEXT], {
        cwd: folder,
        env: { ...process.env, LUMESH_USER: USER },
        timeout: 60_000,
      });
      const lines = stdout
        .trim()
        .split('\n')
        .filter((line) => !line.includes('left out'));
      t.same(
        lines.slice(0, language.transports.length),
        language.transports.map((name) => `${name}: success 1, fail 0`),
      );
      t.same(
        received,
        lines.map(() => TEXT),
      );
    });
  }
});
