/** Who is let in, who is not, and what both logs say about it. */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { PATHS } from '../../src/links/dial.js';
import { introductionProblem, newNonce, type ProofStep, prove, proves } from '../../src/links/handshake.js';
import type { LinksOptions } from '../../src/links/options.js';
import { readBatch } from '../../src/wire/batch.js';
import { Names } from '../../src/wire/names.js';
import { batchOf, stranger } from './peer.js';
import { startLinks, type TestNode, until, waking } from './world.js';

function hear(node: TestNode): { opens: number; ends: { end: string; text: string }[] } {
  const heard = { opens: 0, ends: [] as { end: string; text: string }[] };
  node.links.attach(
    waking({
      opened: () => heard.opens++,
      received: () => {},
      drained: () => {},
      closed: (_link, end, text) => heard.ends.push({ end, text }),
    }),
  );
  return heard;
}

const warnings = (node: TestNode) => node.log.lines.filter((line) => line.level === 'warn');

async function refusal(t: Test, dialer: Partial<LinksOptions>, listener: Partial<LinksOptions>, why: RegExp) {
  const a = await startLinks('node-a', dialer);
  const b = await startLinks('node-b', listener);
  t.teardown(() => Promise.all([a.links.closeAll(), b.links.closeAll()]));
  const heardA = hear(a);
  const heardB = hear(b);
  a.links.dial(b.links.address());
  await until('the dial has ended', () => heardA.ends.length === 1 && warnings(b).length === 1);
  t.match(heardA.ends, [{ end: 'denied', text: why }]);
  t.match(warnings(a), [{ message: 'peer link denied', fields: { address: b.links.address(), why } }]);
  t.match(warnings(b), [{ message: 'peer refused', fields: { remote: /^127\.0\.0\.1:\d+$/, peer: 'node-a', why } }]);
  t.equal(heardA.opens + heardB.opens, 0);
  t.equal(b.meter.counts.get('drops_total peer_denied'), 1);
  const said = JSON.stringify([a.log.lines, b.log.lines, heardA.ends]);
  for (const secret of [dialer.secret, listener.secret]) if (secret) t.notOk(said.includes(secret), 'no secret in it');
}

t.test('a node of another cluster is refused, and both logs say who and why', (t) =>
  refusal(t, { clusterName: 'red' }, { clusterName: 'blue' }, /is of cluster "red", expected "blue"/),
);

t.test('a node with another secret is refused, and both logs say who and why', (t) =>
  refusal(t, { secret: 'first-secret' }, { secret: 'second-secret' }, /does not know the cluster secret/),
);

t.test('a node without a secret is refused by one with', (t) =>
  refusal(t, { secret: '' }, { secret: 'second-secret' }, /does not know the cluster secret/),
);

t.test('a node with a secret does not trust one without', (t) =>
  refusal(t, { secret: 'first-secret' }, { secret: '' }, /does not know the cluster secret/),
);

t.test('a listener that lets everybody in but does not know the secret is not believed', async (t) => {
  const server = new Server();
  const same = (bytes: Buffer) => bytes;
  const codec = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const impostor = (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.on('data', (bytes: Buffer) => {
      const [frame] = readBatch(bytes, 'link', new Names(), 4096);
      if (frame.kind === 'greeting') {
        call.write(batchOf({ kind: 'challenge', cluster: 'test', nodeId: 'node-b', nonce: newNonce(), link: 7 }));
      } else call.write(batchOf({ kind: 'welcome', proof: Buffer.alloc(32) }));
    });
  };
  server.addService(
    { Control: { path: PATHS.control, requestStream: true, responseStream: true, ...codec } },
    { Control: impostor as never },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  t.teardown(() => server.forceShutdown());
  const a = await startLinks('node-a');
  t.teardown(() => a.links.closeAll());
  const heard = hear(a);
  a.links.dial(`127.0.0.1:${port}`);
  await until('the dial has ended', () => heard.ends.length === 1);
  t.match(heard.ends, [{ end: 'denied', text: 'the peer does not know the cluster secret' }]);
  t.match(warnings(a), [{ fields: { peer: 'node-b' } }]);
});

t.test('a proof is good for its step, secret and transcript only', async (t) => {
  const said = {
    cluster: 'c',
    dialer: 'a',
    listener: 'b',
    dialerNonce: newNonce(),
    listenerNonce: newNonce(),
    link: 1,
  };
  const steps: ProofStep[] = ['dialer control', 'listener control', 'dialer data', 'listener data'];
  for (const step of steps) {
    const proof = prove('secret', step, said);
    for (const other of steps) t.equal(proves(proof, 'secret', other, said), other === step, `${step} as ${other}`);
    t.notOk(proves(proof, 'Secret', step, said));
    for (const [part, value] of Object.entries({ ...said, cluster: 'd', dialer: 'b', listener: 'a', link: 2 })) {
      const changed = value instanceof Uint8Array ? newNonce() : value;
      t.notOk(proves(proof, 'secret', step, { ...said, [part]: changed }), `another ${part}`);
    }
    t.notOk(proves(proof.subarray(1), 'secret', step, said));
    t.notOk(proves(Buffer.alloc(0), 'secret', step, said));
  }
});

t.test('names that run into each other prove nothing', async (t) => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
      const nonces = { dialerNonce: Buffer.alloc(32), listenerNonce: Buffer.alloc(32), link: 1 };
      const one = { cluster: a, dialer: `${b}${c}`, listener: '', ...nonces };
      const two = { cluster: a, dialer: b, listener: c, ...nonces };
      if (c !== '') t.notOk(proves(prove('s', 'dialer data', one), 's', 'dialer data', two));
    }),
    { numRuns: 30 },
  );
});

t.test('introductions of another version or without substance are refused in words', async (t) => {
  const good = { version: 1, cluster: 'c', nodeId: 'n', nonce: newNonce() };
  t.equal(introductionProblem(good, 'c'), null);
  t.match(introductionProblem({ ...good, version: 9 }, 'c'), /speaks version 9 .* expected 1/);
  t.match(introductionProblem({ ...good, nodeId: '' }, 'c'), /node id/);
  t.match(introductionProblem({ ...good, nodeId: 'n'.repeat(300) }, 'c'), /node id/);
  t.match(introductionProblem({ ...good, nonce: Buffer.alloc(3) }, 'c'), /nonce of 3 bytes/);
  t.ok(introductionProblem({ ...good, cluster: 'x'.repeat(5000) }, 'c')!.length < 200, 'no long text goes into a log');
});

t.test('whoever does not speak as a peer is refused, and others are not disturbed', async (t) => {
  const a = await startLinks('node-a');
  const b = await startLinks('node-b');
  t.teardown(() => Promise.all([a.links.closeAll(), b.links.closeAll()]));
  const heardA = hear(a);
  const heardB = hear(b);
  a.links.dial(b.links.address());
  await until('the proper link is open', () => heardA.opens + heardB.opens === 2);
  const greeting = { kind: 'greeting', version: 1, cluster: 'test', nodeId: 'x', nonce: newNonce() } as const;
  const words: [string, Buffer[], 'control' | 'data'][] = [
    ['random bytes', [Buffer.from('GET / HTTP/1.1')], 'control'],
    ['an empty batch', [Buffer.alloc(0)], 'control'],
    ['a frame before the handshake', [batchOf({ kind: 'ping', seq: 1, updates: [] })], 'control'],
    ['a proof before the greeting', [batchOf({ kind: 'proof', proof: Buffer.alloc(32) })], 'control'],
    ['a second greeting', [batchOf(greeting), batchOf(greeting)], 'control'],
    ['a wrong proof', [batchOf(greeting), batchOf({ kind: 'proof', proof: Buffer.alloc(32) })], 'control'],
    ['a join of no link', [batchOf({ kind: 'join', link: 1, proof: Buffer.alloc(32) })], 'data'],
    ['a publish without a join', [batchOf({ kind: 'canary', id: 1 })], 'data'],
  ];
  for (const [what, batches, lane] of words) {
    const intruder = stranger(b.links.address(), lane);
    for (const batch of batches) intruder.say(batch);
    await until(`${what} is refused`, () => intruder.end !== null);
    t.match(intruder.end, { code: 7, details: /node "node-b" refuses this node: it / }, what);
    intruder.leave();
  }
  t.equal(b.meter.counts.get('drops_total peer_denied'), words.length);
  t.strictSame([heardA.opens + heardB.opens, heardA.ends, heardB.ends], [2, [], []]);
});

t.test('a join that guesses a link that is being opened is refused', async (t) => {
  const b = await startLinks('node-b');
  t.teardown(() => b.links.closeAll());
  hear(b);
  const control = stranger(b.links.address());
  const nonce = newNonce();
  control.say(batchOf({ kind: 'greeting', version: 1, cluster: 'test', nodeId: 'x', nonce }));
  await until('the challenge is there', () => control.heard.length === 1);
  const [challenge] = readBatch(control.heard[0], 'link', new Names(), 4096);
  if (challenge.kind !== 'challenge') throw new Error('a challenge is due');
  const said = {
    cluster: 'test',
    dialer: 'x',
    listener: 'node-b',
    dialerNonce: nonce,
    listenerNonce: challenge.nonce,
    link: challenge.link,
  };
  const join = { kind: 'join', link: challenge.link } as const;
  const early = stranger(b.links.address(), 'data');
  early.say(batchOf({ ...join, proof: prove('a secret', 'dialer data', said) }));
  await until('a join before the proof is refused', () => early.end !== null);
  t.match(early.end, { code: 7 });
  control.say(batchOf({ kind: 'proof', proof: prove('a secret', 'dialer control', said) }));
  await until('the welcome is there', () => control.heard.length === 2);
  const thief = stranger(b.links.address(), 'data');
  thief.say(batchOf({ ...join, proof: prove('a secret', 'listener control', said) }));
  await until('a join with a proof of another step is refused', () => thief.end !== null);
  t.match(thief.end, { code: 7 });
  for (const one of [control, early, thief]) one.leave();
});
