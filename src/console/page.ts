/**
 * The console: one static page that the API port serves at "/", with what it needs under "/console/". Plain files beside this
 * one, read once; they load nothing from anywhere else and talk to the API of the node that served them, like any back end.
 */
import { readFileSync } from 'node:fs';

export interface ConsoleAsset {
  readonly type: string;
  readonly body: Uint8Array;
}

/** Relative to this file both as source and as build. */
const FOLDER = new URL('../../src/console/assets/', import.meta.url);
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' } as const;
const FILES = [
  'index.html',
  'style.css',
  'icon.svg',
  'app.js',
  'dom.js',
  'metrics.js',
  'members.js',
  'channel.js',
  'live.js',
];

const assets: ReadonlyMap<string, ConsoleAsset> = new Map(
  FILES.map((name) => {
    const type = TYPES[name.split('.')[1] as keyof typeof TYPES];
    const asset = { type: `${type}; charset=utf-8`, body: readFileSync(new URL(name, FOLDER)) };
    return [name === 'index.html' ? '/' : `/console/${name}`, asset];
  }),
);

/** The file of the console at a URL path; null when there is none. */
export function consoleAsset(path: string): ConsoleAsset | null {
  return assets.get(path) ?? null;
}
