/** Mutual TLS between peers: who gets in, and that new certificates are taken over without a restart. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { startLinks, type TestNode, until, waking } from './world.js';

const FOLDER = fileURLToPath(new URL('./tls', import.meta.url));
const file = (name: string) => join(FOLDER, name);
const tlsOf = (name: string, ca = 'ca') => ({
  cert: file(`${name}.crt`),
  key: file(`${name}.key`),
  ca: file(`${ca}.crt`),
});

interface Heard {
  opens: number;
  ends: { end: string; text: string }[];
}

async function node(t: Test, name: string, tls = tlsOf(name)): Promise<TestNode & { heard: Heard }> {
  const started = await startLinks(name, { tls, secret: '' });
  t.teardown(() => started.links.closeAll());
  const heard: Heard = { opens: 0, ends: [] };
  started.links.attach(
    waking({
      opened: () => heard.opens++,
      received: () => {},
      drained: () => {},
      closed: (_link, end, text) => heard.ends.push({ end, text }),
    }),
  );
  return { ...started, heard };
}

t.test('two nodes with certificates of the mesh’s authority open a link', async (t) => {
  const a = await node(t, 'node-a');
  const b = await node(t, 'node-b');
  a.links.dial(b.links.address());
  await until('the link is open', () => a.heard.opens + b.heard.opens === 2);
  t.strictSame(a.heard.ends, []);
});

t.test('a certificate of another authority is denied, and both logs say so', async (t) => {
  const a = await node(t, 'stranger');
  const b = await node(t, 'node-b');
  a.links.dial(b.links.address());
  await until('the dial has ended', () => a.heard.ends.length === 1);
  t.match(a.heard.ends, [{ end: 'denied', text: /refuses this node: it has a certificate that is not accepted/ }]);
  t.match(b.log.lines, [
    { level: 'warn', message: 'peer refused', fields: { remote: /127/, why: /certificate that is not accepted: \w/ } },
  ]);
  t.match(a.log.lines, [{ level: 'warn', message: 'peer link denied', fields: { address: b.links.address() } }]);
});

t.test('a listener with a certificate of another authority is denied', async (t) => {
  const a = await node(t, 'node-a');
  const b = await node(t, 'stranger', tlsOf('stranger', 'ca'));
  a.links.dial(b.links.address());
  await until('the dial has ended', () => a.heard.ends.length === 1);
  t.match(a.heard.ends, [{ end: 'denied', text: /^TLS: / }]);
  t.match(a.log.lines, [{ level: 'warn', message: 'peer link denied', fields: { address: b.links.address() } }]);
});

t.test('a node without TLS gets nowhere with one that has it, and the other way round', async (t) => {
  const none = { cert: '', key: '', ca: '' };
  const plain = await node(t, 'plain', none);
  const secure = await node(t, 'node-b');
  plain.links.dial(secure.links.address());
  await until('the plain dial has ended', () => plain.heard.ends.length === 1);
  t.equal(plain.heard.ends[0].end, 'unreachable');
  t.match(secure.log.lines, [{ level: 'warn', message: 'peer refused', fields: { remote: /127/, why: /^TLS: / } }]);
  secure.links.dial(plain.links.address());
  await until('the secure dial has ended', () => secure.heard.ends.length === 1);
  t.equal(secure.heard.opens + plain.heard.opens, 0);
});

t.test('changed certificate files are taken over; files that do not fit are not', async (t) => {
  const folder = t.testdir({});
  const mine = { cert: join(folder, 'cert'), key: join(folder, 'key'), ca: join(folder, 'ca') };
  const put = (cert: string, key: string, ca: string) => {
    writeFileSync(mine.cert, readFileSync(file(cert)));
    writeFileSync(mine.key, readFileSync(file(key)));
    writeFileSync(mine.ca, readFileSync(file(ca)));
  };
  put('node-b.crt', 'node-b.key', 'ca.crt');
  const b = await node(t, 'node-b', mine);
  const a = await node(t, 'node-a');
  a.links.dial(b.links.address());
  await until('the first link is open', () => a.heard.opens + b.heard.opens === 2);

  put('node-b.crt', 'node-a.key', 'ca.crt');
  b.links.reloadCertificates();
  t.match(b.log.lines.at(-1), { level: 'error', message: /not taken over/, fields: { error: /cluster\.tls/ } });
  a.links.dial(b.links.address());
  await until('the old certificate is still good', () => a.heard.opens + b.heard.opens === 4);

  put('stranger.crt', 'stranger.key', 'other-ca.crt');
  b.links.reloadCertificates();
  t.match(b.log.lines.at(-1), { level: 'info', message: 'peer certificates reloaded' });
  a.links.dial(b.links.address());
  await until('the new one is another authority’s', () => a.heard.ends.length === 1);
  t.match(a.heard.ends, [{ end: 'denied' }]);
  const c = await node(t, 'stranger', tlsOf('stranger', 'other-ca'));
  c.links.dial(b.links.address());
  await until('its own nodes get in', () => c.heard.opens === 1);
  t.strictSame(b.heard.ends, [], 'links that are open stay');
  b.links.dial(c.links.address());
  await until('and it dials with the new one', () => c.heard.opens === 2);
});

t.test('files that cannot be read or do not fit are named before anything starts', async (t) => {
  const start = (tls: { cert: string; key: string; ca: string }) => startLinks('x', { tls });
  await t.rejects(start({ ...tlsOf('node-a'), key: '/no/such/file' }), {
    message: /cluster\.tls\.key: .*no\/such\/file/,
  });
  await t.rejects(start({ ...tlsOf('node-a'), key: file('node-b.key') }), { message: /cluster\.tls: / });
  await t.rejects(start({ ...tlsOf('node-a'), ca: '' }), { message: /set cluster\.tls\.ca/ });
});
