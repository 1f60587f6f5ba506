/**
 * Reads a configuration: YAML file < environment < flags, then the secrets' files, the schema and the rules. Either a whole,
 * valid configuration comes out or a ConfigError with every problem; no default ever replaces a wrong value.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { ConfigError, fromZod, nearest, type Problem, unknownKey } from './problems.js';
import { brokenRules } from './rules.js';
import { type Config, schema } from './schema.js';
import { isArray, isObject, schemaAt } from './settings.js';

export interface Loaded {
  readonly config: Config;
  /** Where each given setting came from, by path; a setting that is not here has its default. */
  readonly sources: ReadonlyMap<string, string>;
  /** Folder that relative paths of the configuration start from. */
  readonly folder: string;
}

export interface Origins {
  /** YAML file; undefined for none. */
  readonly file?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `path=value` of each --set. */
  readonly flags?: readonly string[];
  /** Settings given by a program instead of a file. */
  readonly settings?: DeepPartial<Config>;
}

/** The same shape with every part optional, down to list items. */
export type DeepPartial<T> = T extends readonly (infer Item)[]
  ? DeepPartial<Item>[]
  : T extends object
    ? { [K in keyof T]?: DeepPartial<T[K]> }
    : T;

/** Variables that start with LUMESH_ and are no settings. */
const OTHER_VARIABLES = new Set(['LUMESH_USER', 'LUMESH_API', 'LUMESH_CONFIG']);

/** Loads and checks. Throws ConfigError with all problems. */
export function loadConfig(origins: Origins): Loaded {
  const problems: Problem[] = [];
  const sources = new Map<string, string>();
  const tree = origins.file ? readFile(origins.file, sources, problems) : given(origins.settings, sources);
  for (const [name, value] of Object.entries(origins.env ?? {})) {
    if (!name.startsWith('LUMESH_') || OTHER_VARIABLES.has(name) || value === undefined) continue;
    const path = pathOfVariable(name);
    if (typeof path === 'string') problems.push({ path: name, source: 'environment', text: path });
    else put(tree, path, value, name, sources, problems);
  }
  for (const given of origins.flags ?? []) {
    const cut = given.indexOf('=');
    if (cut < 1)
      problems.push({ path: given, source: '--set', text: 'expected path=value, such as cluster.port=6788' });
    else put(tree, given.slice(0, cut).split('.'), given.slice(cut + 1), '--set', sources, problems);
  }
  const sourceOf = (path: string) => sources.get(path) ?? nearestSource(path, sources) ?? origins.file ?? 'default';
  readSecrets(tree, '', origins.file ? dirname(origins.file) : '.', sourceOf, problems);
  const parsed = schema.safeParse(tree);
  if (!parsed.success) problems.push(...fromZod(parsed.error.issues, tree, sourceOf));
  else problems.push(...brokenRules(parsed.data).map((rule) => ({ ...rule, source: sourceOf(rule.path) })));
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return { config: parsed.data, sources, folder: resolve(origins.file ? dirname(origins.file) : '.') };
}

/** A copy of what a program gave, to be completed; its own object stays as it is. */
function given(settings: DeepPartial<Config> | undefined, sources: Map<string, string>): Record<string, unknown> {
  const tree = structuredClone(settings ?? {}) as Record<string, unknown>;
  note(tree, '', 'createNode', sources);
  return tree;
}

function readFile(file: string, sources: Map<string, string>, problems: Problem[]): Record<string, unknown> {
  if (!existsSync(file)) {
    problems.push({ path: '', source: file, text: 'no such file' });
    return {};
  }
  try {
    const text = readFileSync(file, 'utf8');
    // Nobody means all defaults by it: an editor is about to write it anew, or it went wrong. A comment is enough to mean them.
    if (text.trim() === '') {
      problems.push({ path: '', source: file, text: 'is empty, expected settings as "name: value"' });
      return {};
    }
    const tree: unknown = parseYaml(text) ?? {};
    if (typeof tree !== 'object' || Array.isArray(tree)) {
      problems.push({ path: '', source: file, text: 'expected settings as "name: value"' });
      return {};
    }
    note(tree as Record<string, unknown>, '', file, sources);
    return tree as Record<string, unknown>;
  } catch (error) {
    const where = error instanceof YAMLParseError && error.linePos ? ` at line ${error.linePos[0].line}` : '';
    problems.push({
      path: '',
      source: file,
      text: `cannot be read${where}: ${(error as Error).message.split('\n')[0]}`,
    });
    return {};
  }
}

/** Remembers the file as the source of each leaf. */
function note(value: unknown, path: string, source: string, sources: Map<string, string>): void {
  if (value !== null && typeof value === 'object') {
    for (const [key, child] of Object.entries(value)) note(child, path ? `${path}.${key}` : key, source, sources);
  } else sources.set(path, source);
}

/** LUMESH_SERVERS_0_PORT → servers.0.port by walking the schema; a text says what is unknown. */
function pathOfVariable(name: string): string[] | string {
  const path: string[] = [];
  for (const part of name.slice('LUMESH_'.length).split('_')) {
    const { node } = schemaAt(path);
    if (isObject(node)) {
      const known = Object.keys(node.shape);
      const key = known.find((k) => k.toUpperCase() === part);
      if (!key) {
        const variable = (k: string) => ['LUMESH', ...path, k].join('_').toUpperCase();
        const near = nearest(part, known);
        return `unknown variable; ${near ? `did you mean ${variable(near)}?` : `known: ${known.map(variable).join(', ')}`}`;
      }
      path.push(key);
    } else path.push(part);
  }
  return path;
}

/** Sets one text value at a path, as the type that stands there. */
function put(
  tree: Record<string, unknown>,
  path: readonly string[],
  value: string,
  source: string,
  sources: Map<string, string>,
  problems: Problem[],
): void {
  const { node, unknown, known } = schemaAt(path);
  const dotted = path.join('.');
  if (unknown !== null) {
    problems.push({ path: dotted, source, text: unknownKey(unknown, known) });
    return;
  }
  let at = tree as Record<string, unknown> | unknown[];
  for (let i = 0; i < path.length - 1; i++) {
    const slot = at as Record<string, unknown>;
    if (slot[path[i]] === null || typeof slot[path[i]] !== 'object') {
      slot[path[i]] = isArray(schemaAt(path.slice(0, i + 1)).node) ? [] : {};
    }
    at = slot[path[i]] as Record<string, unknown>;
  }
  (at as Record<string, unknown>)[path[path.length - 1]] = fromText(node, value);
  for (const known of [...sources.keys()]) if (known.startsWith(`${dotted}.`)) sources.delete(known);
  sources.set(dotted, source);
}

/** A value given as text: numbers and booleans by type, lists by commas, structures as YAML. What does not fit stays text for the schema to refuse. */
function fromText(node: z.ZodType, value: string): unknown {
  const type = node.def.type;
  if (type === 'number' && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  if (isObject(node) || type === 'union' || (isArray(node) && /^\s*\[/.test(value))) {
    try {
      return parseYaml(value);
    } catch {
      return value;
    }
  }
  if (isArray(node))
    return value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  return value;
}

/** Fills every secret that has a `…File` twin from that file. */
function readSecrets(
  value: unknown,
  path: string,
  folder: string,
  sourceOf: (path: string) => string,
  problems: Problem[],
): void {
  if (value === null || typeof value !== 'object') return;
  const tree = value as Record<string, unknown>;
  for (const [key, child] of Object.entries(tree)) {
    const full = path ? `${path}.${key}` : key;
    if (!/^(secret|password)File$/.test(key)) readSecrets(child, full, folder, sourceOf, problems);
    else if (typeof child === 'string' && child !== '') {
      const plain = key.slice(0, -'File'.length);
      const source = sourceOf(full);
      if (tree[plain]) problems.push({ path: full, source, text: `set either this or ${plain}, not both` });
      else {
        try {
          tree[plain] = readFileSync(resolve(folder, child), 'utf8').replace(/\r?\n$/, '');
        } catch (error) {
          problems.push({ path: full, source, text: `${child} cannot be read: ${(error as Error).message}` });
        }
      }
    }
  }
}

/** The source of the nearest setting above or below a path. */
function nearestSource(path: string, sources: ReadonlyMap<string, string>): string | undefined {
  for (const [known, source] of sources)
    if (known.startsWith(`${path}.`) || path.startsWith(`${known}.`)) return source;
  return undefined;
}
