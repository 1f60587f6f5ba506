/** `lumesh config`: shows every setting, checks a file, hashes a password. */
import { randomBytes, scryptSync } from 'node:crypto';
import { type Loaded, loadConfig, type Origins } from '../config/load.js';
import { settings } from '../config/settings.js';

type Print = (text: string) => void;

/** Prints every setting with value, source, unit, bounds and doc, as YAML comments beside YAML values. */
export function printConfig(origins: Origins, json: boolean, print: Print): void {
  const loaded = loadConfig(origins);
  const rows = [...shown(loaded)];
  if (json) {
    print(JSON.stringify(rows));
    return;
  }
  for (const row of rows) {
    const notes = [row.expected, row.unit, row.live ? 'live' : ''].filter(Boolean).join(', ');
    print(`# ${row.doc}\n# ${notes} [${row.source}]\n${row.path}: ${JSON.stringify(row.value)}\n`);
  }
}

interface Shown {
  readonly path: string;
  readonly value: unknown;
  readonly source: string;
  readonly expected: string;
  readonly unit?: string;
  readonly doc: string;
  readonly live?: boolean;
}

/** Each setting once; those of list items once per item. */
function* shown({ config, sources }: Loaded): Generator<Shown> {
  for (const { path, expected, unit, doc, live, secret } of settings()) {
    for (const full of expand(path.split('.'), config, [])) {
      const value = full.reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], config);
      const dotted = full.join('.');
      yield {
        path: dotted,
        value: secret && value ? '(secret)' : value,
        source: sources.get(dotted) ?? 'default',
        expected,
        unit,
        doc,
        live,
      };
    }
  }
}

/** `servers.0.port` → one path per server that there is. */
function expand(parts: readonly string[], at: unknown, done: readonly string[]): string[][] {
  if (parts.length === 0) return [[...done]];
  const [part, ...rest] = parts;
  if (part === '0' && Array.isArray(at)) return at.flatMap((item, i) => expand(rest, item, [...done, String(i)]));
  return expand(rest, (at as Record<string, unknown>)?.[part], [...done, part]);
}

/** Only checks; throws ConfigError with every problem. */
export function checkConfig(file: string, print: Print): void {
  loadConfig({ file });
  print(`${file} is fine`);
}

/** A password's hash for `access.users[].passwordHash`: `scrypt$N$r$p$salt$hash`, salt and hash in base64 (RFC 7914). */
export function hashPassword(password: string): string {
  const [n, r, p] = [16384, 8, 1];
  const salt = randomBytes(16);
  const hash = scryptSync(password, salt, 32, { N: n, r, p });
  return `scrypt$${n}$${r}$${p}$${salt.toString('base64')}$${hash.toString('base64')}`;
}
