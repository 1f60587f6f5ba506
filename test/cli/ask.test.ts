/** The client commands against real nodes. */
import { PassThrough } from 'node:stream';
import t from 'tap';
import { members, publish, subscribe } from '../../src/cli/ask.js';
import { post, startMesh, startNode } from '../node/cluster.js';

const nodes = await startMesh(2);
t.teardown(() => Promise.all(nodes.map((node) => node.close())));
const second = { api: `http://${nodes[1].addresses.api}` };

async function published(channel: string, text: string): Promise<string> {
  let said = '';
  await publish(second, channel, text, (line) => {
    said = line;
  });
  return said;
}

t.test('members shows every node, as the one that is asked sees it', async (t) => {
  t.plan(1);
  await members(second, (table) => {
    t.match(table, /^NODE .*\n(.*\n)*node-1 +alive.*\n(.*\n)*node-2 \(asked\) +alive/);
  });
});

for (const [kind, names, options] of [
  ['channels', ['a.1', 'a.2'], {}],
  ['patterns', ['b.*', 'none'], { patterns: true }],
] as const) {
  t.test(`subscribe prints what is published on ${kind}, on any node, until its own one ends`, async (t) => {
    const node = await startNode(`node-${kind}`, { cluster: { seeds: [nodes[0].addresses.peers] } });
    const printed = new PassThrough({ objectMode: true });
    const lines = printed[Symbol.asyncIterator]();
    const ended = subscribe({ api: `http://${node.addresses.api}`, ...options }, names, (line) => printed.write(line));
    const [channel] = names[0];
    // It says nothing when it is subscribed.
    while ((await published(`${channel}.1`, 'Hello')).startsWith('success 0,'));
    t.equal((await lines.next()).value, `${channel}.1\tHello`);
    await post(nodes[1], '/v1/mesh/publish', { c: `${channel}.2`, d: 'AP8=', t: 'binary' });
    t.equal((await lines.next()).value, `${channel}.2\tbase64:AP8=`);
    await Promise.all([t.rejects(ended, { code: 3, message: 'the node closed the connection' }), node.close()]);
  });
}
