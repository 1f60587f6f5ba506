/**
 * nats-server (Debian's package), a cluster of `count`: subscribers over its WebSocket port, publishers over its own TCP
 * protocol. The protocol is spoken by hand on both. Missing: returns null.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY, frame } from '../clients/websocket.mjs';
import { freePort, startProgram } from '../lib/process.mjs';

export const natsVersion = () => {
  const { stdout, error } = spawnSync('nats-server', ['--version'], { encoding: 'utf8' });
  return error ? null : stdout.trim();
};

export async function startNats(count = 1) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-nats-'));
  const routes = [];
  const servers = [];
  const nodes = [];
  for (let i = 0; i < count; i++) {
    const [port, web, cluster] = await Promise.all([freePort(), freePort(), freePort()]);
    const file = join(folder, `${i}.conf`);
    writeFileSync(
      file,
      `server_name: n${i}
host: 127.0.0.1
port: ${port}
max_pending: 67108864
websocket { host: 127.0.0.1, port: ${web}, no_tls: true, compression: false }
cluster { name: bench, host: 127.0.0.1, port: ${cluster}, routes: [${routes.join(', ')}] }
`,
    );
    servers.push(await startProgram('nats-server', ['-c', file], (output) => output.includes('Server is ready')));
    routes.push(`nats://127.0.0.1:${cluster}`);
    nodes.push({ port, web });
  }
  if (count > 1) await new Promise((resolve) => setTimeout(resolve, 1000));
  return {
    name: 'NATS',
    servers,
    address: (node = 0) => ({ port: nodes[node % count].web }),
    subscribe,
    publisher: (node = 0) => openPublisher(nodes[node % count].port),
    /** Interest travels to the other servers on its own; NATS says nothing when it has arrived. */
    settle: () => new Promise((resolve) => setTimeout(resolve, 500)),
    stop: () => Promise.all(servers.map((server) => server.stop())),
  };
}

const CONNECT = 'CONNECT {"verbose":false,"pedantic":false,"headers":false}\r\n';

/**
 * Resolves when the server has answered the PING behind the SUB. From then on `client.onMessage` is called once per message,
 * as with the other systems: a WebSocket frame of NATS holds any part of the stream "MSG channel 1 64\r\n…\r\n".
 */
function subscribe(client, channel) {
  return new Promise((resolve) => {
    let rest = null;
    const prefix = `MSG ${channel} 1 `;
    const parse = (buffer, from, end) => {
      let at = from;
      while (at < end) {
        // "PING\r\n", "PONG\r\n", "INFO …\r\n", or a message whose head has the fixed prefix and two or three digits.
        if (buffer[at] !== 77) {
          const line = buffer.indexOf('\r\n', at);
          if (line < 0 || line >= end) break;
          if (buffer[at] === 80 && buffer[at + 1] === 73) client.write(frame(Buffer.from('PONG\r\n'), BINARY));
          if (buffer[at] === 80 && buffer[at + 1] === 79) resolve();
          at = line + 2;
          continue;
        }
        let digit = at + prefix.length;
        let length = 0;
        while (digit < end && buffer[digit] !== 13) length = length * 10 + buffer[digit++] - 48;
        const start = digit + 2;
        if (start + length + 2 > end) break;
        client.onMessage(client, buffer, start, start + length);
        at = start + length + 2;
      }
      return at;
    };
    client.onFrame = (_client, buffer, start, end) => {
      if (rest === null) {
        const at = parse(buffer, start, end);
        if (at < end) rest = Buffer.from(buffer.subarray(at, end));
        return;
      }
      const joined = Buffer.concat([rest, buffer.subarray(start, end)]);
      const at = parse(joined, 0, joined.length);
      rest = at < joined.length ? Buffer.from(joined.subarray(at)) : null;
    };
    client.write(frame(Buffer.from(`${CONNECT}SUB ${channel} 1\r\nPING\r\n`), BINARY));
  });
}

function openPublisher(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let batch = [];
    socket.on('data', (bytes) => {
      if (bytes.includes('PING\r\n')) socket.write('PONG\r\n');
      if (bytes.includes('PONG\r\n'))
        resolve({
          publish: (channel, payload) => batch.push(`PUB ${channel} ${payload.length}\r\n${payload.latin1Slice()}\r\n`),
          flush() {
            socket.write(batch.join(''), 'latin1');
            batch = [];
          },
          close: () => socket.destroy(),
        });
    });
    socket.write(`${CONNECT}PING\r\n`);
  });
}
