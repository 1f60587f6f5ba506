/** The client commands against real nodes. */
import t from 'tap';
import { members, publish, subscribe } from '../../src/cli/ask.js';
import { post, startMesh, startNode } from '../node/cluster.js';

const nodes = await startMesh(2);
t.teardown(() => Promise.all(nodes.map((node) => node.close())));
const second = { api: `http://${nodes[1].addresses.api}` };

/** What a command prints, a line at a time. */
class Lines {
  readonly #lines: string[] = [];
  #waiting: ((line: string) => void) | null = null;
  readonly print = (text: string): void => {
    if (this.#waiting === null) this.#lines.push(text);
    else this.#waiting(text);
    this.#waiting = null;
  };
  next(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
}

async function published(channel: string, text: string): Promise<string> {
  const lines = new Lines();
  await publish(second, channel, text, lines.print);
  return lines.next();
}

t.test('members shows every node, as the one that is asked sees it', async (t) => {
  const lines = new Lines();
  await members(second, lines.print);
  t.match(await lines.next(), /^NODE .*\n(.*\n)*node-1 +alive.*\n(.*\n)*node-2 \(asked\) +alive/);
});

for (const [kind, names, options] of [
  ['channels', ['a.1', 'a.2'], {}],
  ['patterns', ['b.*', 'none'], { patterns: true }],
] as const) {
  t.test(`subscribe prints what is published on ${kind}, on any node, until its own one ends`, async (t) => {
    const node = await startNode(`node-${kind}`, { cluster: { seeds: [nodes[0].addresses.peers] } });
    const lines = new Lines();
    const ended = subscribe({ api: `http://${node.addresses.api}`, ...options }, names, lines.print);
    const [channel] = names[0];
    // It says nothing when it is subscribed.
    while ((await published(`${channel}.1`, 'Hello')).startsWith('success 0,'));
    t.equal(await lines.next(), `${channel}.1\tHello`);
    await post(nodes[1], '/v1/mesh/publish', { c: `${channel}.2`, d: 'AP8=', t: 'binary' });
    t.equal(await lines.next(), `${channel}.2\tbase64:AP8=`);
    await Promise.all([t.rejects(ended, { code: 3, message: 'the node closed the connection' }), node.close()]);
  });
}
