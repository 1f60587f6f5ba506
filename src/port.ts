/**
 * TCP ports of this machine, for all that listen: opening one with uWebSockets.js, finding one that is free, and why one could not
 * be opened, in words for the person who configured it.
 */

import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { type AddressInfo, createServer } from 'node:net';
import { MeshError } from './errors.js';

/** The listen call as the library has it; its types lack the form with both host and options. */
type Listen = (host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void) => void;
const SHARED = 0;
const EXCLUSIVE = 1;

/** How often another free port is looked for when somebody took the last one before it was opened. */
const TRIES = 10;

/** Listens on exactly that port, which other processes of the user may share or not; null when it could not be opened. */
export function listenOn(app: TemplatedApp, bind: string, port: number, share: boolean): us_listen_socket | null {
  let opened: us_listen_socket | null = null;
  // Calls back before it returns.
  (app.listen as unknown as Listen).call(app, bind, port, share ? SHARED : EXCLUSIVE, (socket) => {
    opened = socket || null;
  });
  return opened;
}

/**
 * Opens a port, any free one for port 0, and returns its number; a MeshError says why it could not. uWebSockets.js is always given
 * a number: a port that it takes by itself can't be shared, nor be listened on a second time, which new certificates need.
 */
export async function openPort(bind: string, port: number, open: (port: number) => boolean): Promise<number> {
  for (let tries = port === 0 ? TRIES : 1; ; tries--) {
    const number = port === 0 ? await freePort(bind) : port;
    if (open(number)) return number;
    if (tries === 1) throw await portError(bind, number);
  }
}

/** Free for the moment: until it is opened anybody may take it. */
async function freePort(bind: string): Promise<number> {
  const probe = await probePort(bind, 0);
  if (typeof probe === 'string') throw await portError(bind, 0, probe);
  return probe;
}

/** The error for a port that could not be opened; asks the operating system for the reason, which uWebSockets.js keeps to itself. */
export async function portError(bind: string, port: number, code?: string): Promise<MeshError> {
  const reason = code ?? (await probePort(bind, port));
  const where = `port ${port} on ${bind}`;
  if (reason === 'EADDRINUSE')
    return new MeshError('invalid_argument', `${where} is taken by another process. Free it, or set another`);
  if (reason === 'EACCES') return new MeshError('invalid_argument', `${where} may not be opened by this user`);
  if (reason === 'EADDRNOTAVAIL' || reason === 'ENOTFOUND' || reason === 'EAI_AGAIN') {
    return new MeshError('invalid_argument', `${where} can't be opened: this machine has no address ${bind}`);
  }
  return new MeshError(
    'invalid_argument',
    `${where} can't be opened${typeof reason === 'string' ? `: ${reason}` : ''}`,
  );
}

/** Opens and closes it: the port's number, or the system's code for why it can't be opened. */
function probePort(bind: string, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen(port, bind, () => {
      const opened = (probe.address() as AddressInfo).port;
      probe.close(() => resolve(opened));
    });
  });
}
