/** `lumesh connect`: a WebSocket client for the terminal. What is typed is sent, what arrives is printed. */
import { createInterface } from 'node:readline';
import { WebSocket } from 'undici';
import { CommandError, EXIT } from './exit.js';

/** Runs until the input ends (after what is on its way arrived) or the node closes. */
export async function connect(url: string, print: (text: string) => void): Promise<void> {
  if (!/^wss?:\/\//.test(url))
    throw new CommandError(EXIT.usage, `"${url}" is no WebSocket address; expected ws://host:port/path`);
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => {
      print(`connected to ${url}; each line you type is sent`);
      const lines = createInterface({ input: process.stdin });
      lines.on('line', (line) => line !== '' && socket.send(line));
      lines.on('close', () => socket.close());
    };
    socket.onmessage = ({ data }) =>
      print(typeof data === 'string' ? data : `base64:${Buffer.from(data as ArrayBuffer).toString('base64')}`);
    socket.onerror = (event) => {
      const error = event.error as (Error & { cause?: Error }) | undefined;
      const reason = error?.cause?.message ?? error?.message ?? event.message;
      reject(new CommandError(EXIT.unreachable, `${url} cannot be reached: ${reason}`));
    };
    socket.onclose = (event) => {
      print(`closed (${event.code}${event.reason ? ` ${event.reason}` : ''})`);
      resolve();
    };
  });
  process.stdin.pause();
}
