/** Reads a password from standard input, so that it is in no list of processes and no history of a shell. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CommandError, EXIT } from './exit.js';

/** The first line; at a terminal it is asked for, and not shown. */
export async function readSecret(): Promise<string> {
  const atTerminal = process.stdin.isTTY === true;
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // At a terminal, readline turns the echo off and echoes itself: to nowhere.
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: atTerminal });
  if (atTerminal) process.stderr.write('Password: ');
  try {
    for await (const line of lines) if (line !== '') return line;
  } finally {
    lines.close();
    if (atTerminal) process.stderr.write('\n');
  }
  throw new CommandError(EXIT.usage, 'no password was given: expected a line on standard input');
}
