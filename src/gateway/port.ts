/** Why a port could not be opened, in words for the person who configured it. */
import { createServer } from 'node:net';
import { MeshError } from '../errors.js';

/** The error for a port that could not be opened; asks the operating system for the reason, which uWebSockets.js keeps to itself. */
export async function portError(bind: string, port: number, code?: string): Promise<MeshError> {
  const reason = code ?? (await tryPort(bind, port));
  const where = `port ${port} on ${bind}`;
  if (reason === 'EADDRINUSE')
    return new MeshError('invalid_argument', `${where} is taken by another process. Free it, or set another`);
  if (reason === 'EACCES') return new MeshError('invalid_argument', `${where} may not be opened by this user`);
  if (reason === 'EADDRNOTAVAIL' || reason === 'ENOTFOUND' || reason === 'EAI_AGAIN') {
    return new MeshError('invalid_argument', `${where} can't be opened: this machine has no address ${bind}`);
  }
  return new MeshError('invalid_argument', `${where} can't be opened${reason ? `: ${reason}` : ''}`);
}

function tryPort(bind: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen(port, bind, () => probe.close(() => resolve('')));
  });
}
