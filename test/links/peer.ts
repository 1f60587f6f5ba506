/** Things that are no proper node and talk to one: bare gRPC streams and a proxy that can be stopped. */
import { connect, createServer, type Socket } from 'node:net';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { PATHS } from '../../src/links/dial.js';
import { BatchWriter } from '../../src/wire/batch.js';
import type { WireFrame } from '../../src/wire/kinds.js';
import { wake } from './world.js';

export function batchOf(...frames: WireFrame[]): Buffer {
  const writer = new BatchWriter(1 << 20, 1 << 20);
  for (const frame of frames) writer.add(frame);
  return writer.take() ?? Buffer.alloc(0);
}

export interface Stranger {
  readonly heard: Buffer[];
  /** The stream's end, once it has ended. */
  end: ServiceError | 'ok' | null;
  say(bytes: Buffer): void;
  leave(): void;
}

const same = (bytes: Buffer) => bytes;

/** Somebody who opens a stream and then says whatever it likes. */
export function stranger(address: string, lane: keyof typeof PATHS = 'control'): Stranger {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const stream = client.makeBidiStreamRequest(PATHS[lane], same, same);
  const self: Stranger = {
    heard: [],
    end: null,
    say: (bytes) => stream.write(bytes),
    leave() {
      stream.cancel();
      client.close();
    },
  };
  stream.on('data', (bytes: Buffer) => {
    self.heard.push(bytes);
    wake();
  });
  stream.on('error', (error: ServiceError) => {
    self.end = error;
    wake();
  });
  stream.on('end', () => {
    self.end ??= 'ok';
    wake();
  });
  return self;
}

export interface Proxy {
  readonly address: string;
  /** From now on nothing is read from either side, as if the cable were cut; connections stay. */
  freeze(): void;
  /** The cable is back. */
  thaw(): void;
  readonly open: number;
  close(): void;
}

/** A way to `address` that can be frozen. */
export function proxyTo(address: string): Promise<Proxy> {
  const [host, port] = address.split(':');
  const sockets = new Set<Socket>();
  return new Promise((resolve) => {
    const server = createServer((near) => {
      const far = connect(Number(port), host);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ]) {
        sockets.add(from);
        from.pipe(to);
        from.on('error', () => {});
        from.on('close', () => {
          sockets.delete(from);
          to.destroy();
          wake();
        });
      }
    });
    server.listen(0, '127.0.0.1', () => {
      resolve({
        address: `127.0.0.1:${(server.address() as { port: number }).port}`,
        freeze() {
          for (const socket of sockets) socket.unpipe().pause();
        },
        thaw() {
          for (const socket of sockets) socket.resume();
        },
        get open() {
          return sockets.size;
        },
        close() {
          for (const socket of sockets) socket.destroy();
          server.close();
        },
      });
    });
  });
}
