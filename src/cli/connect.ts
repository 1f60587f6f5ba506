/** `lumesh connect`: a WebSocket client for the terminal. What is typed is sent, what arrives is printed. */
import { createInterface } from 'node:readline';
import { fetch, WebSocket } from 'undici';
import { causeOf, firstLine } from './client.js';
import { CommandError, EXIT } from './exit.js';

/** Runs until the input ends (after what is on its way arrived) or the node closes. */
export async function connect(url: string, print: (text: string) => void): Promise<void> {
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url))
    throw new CommandError(EXIT.usage, `"${url}" is no WebSocket address; expected ws://host:port/path`);
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  await new Promise<void>((resolve, reject) => {
    let opened = false;
    socket.onopen = () => {
      opened = true;
      print(`connected to ${url}; each line you type is sent`);
      const lines = createInterface({ input: process.stdin });
      lines.on('line', (line) => line !== '' && socket.send(line));
      lines.on('close', () => socket.close());
    };
    socket.onmessage = ({ data }) =>
      print(typeof data === 'string' ? data : `base64:${Buffer.from(data as ArrayBuffer).toString('base64')}`);
    socket.onclose = (event) => {
      if (opened) {
        print(`closed (${event.code}${event.reason ? ` ${event.reason}` : ''})`);
        resolve();
      } else void whyNot(url).then(reject);
    };
  });
  process.stdin.pause();
}

/** Why a connection could not be opened: the client keeps the reason to itself, an ordinary request meets the same one. */
async function whyNot(url: string): Promise<CommandError> {
  let reason: string;
  try {
    const answer = await fetch(url.replace(/^ws/, 'http'));
    reason = `${answer.status} ${firstLine(await answer.text())}`;
  } catch (error) {
    reason = causeOf(error);
  }
  return new CommandError(EXIT.unreachable, `${url} cannot be reached (${reason})`);
}
