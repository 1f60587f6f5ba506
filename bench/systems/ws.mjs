/** A plain server on the `ws` package (bench/peers/ws-server.mjs), one process, with bare.mjs' protocol. */
import { existsSync, readFileSync } from 'node:fs';
import { startScript } from '../lib/process.mjs';
import { plainSystem } from './bare.mjs';

const PACKAGE = new URL('../peers/node_modules/ws/package.json', import.meta.url);

export const wsVersion = () => (existsSync(PACKAGE) ? `ws ${JSON.parse(readFileSync(PACKAGE, 'utf8')).version}` : null);

export const startWs = async () =>
  plainSystem('ws', await startScript(new URL('../peers/ws-server.mjs', import.meta.url)));
