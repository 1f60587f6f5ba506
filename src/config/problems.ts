/** What is wrong with a configuration, all of it at once, each with path, value and what was expected. */
import type { z } from 'zod';
import { expectedOf, schemaAt } from './settings.js';

export interface Problem {
  /** `servers.0.port`; empty for the whole file. */
  readonly path: string;
  /** Where the value came from: the file's name, `LUMESH_…`, `--set`. */
  readonly source: string;
  readonly text: string;
}

/** A configuration that cannot be used. Nothing has been started. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(problems.map((p) => `  ${p.path || '(configuration)'}: ${p.text} [${p.source}]`).join('\n'));
    this.name = 'ConfigError';
  }
}

/** "unknown setting; nearest known: replicas" */
export function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  return near
    ? `unknown setting; did you mean "${near}"?`
    : `unknown setting; known here: ${known.join(', ') || 'none'}`;
}

/** Turns zod's issues into ours; `input` is what was validated, to show the values that are wrong. */
export function fromZod(
  issues: readonly z.core.$ZodIssue[],
  input: unknown,
  sourceOf: (path: string) => string,
): Problem[] {
  const problems: Problem[] = [];
  for (const issue of issues) {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      const known = schemaAt([...path, '\u0000']).known;
      for (const key of issue.keys) {
        const full = [...path, key].join('.');
        problems.push({ path: full, source: sourceOf(full), text: unknownKey(key, known) });
      }
      continue;
    }
    const dotted = path.join('.');
    const { node, unknown } = schemaAt(path);
    const secret = /password|secret/i.test(path.at(-1) ?? '');
    const value = secret ? 'the value' : show(at(input, path));
    const wanted =
      issue.code === 'invalid_format' && issue.message && !issue.message.startsWith('Invalid') ? issue.message : null;
    problems.push({
      path: dotted,
      source: sourceOf(dotted),
      text: `${value} is not allowed, expected ${wanted ?? (unknown ? issue.message : expectedOf(node))}`,
    });
  }
  return problems;
}

/** The known word with the fewest edits, when it is near enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const edits = distance(word.toLowerCase(), candidate.toLowerCase());
    if (edits < least) {
      least = edits;
      best = candidate;
    }
  }
  return best;
}

/** Levenshtein's edit distance, one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

function at(input: unknown, path: readonly string[]): unknown {
  let value = input;
  for (const part of path)
    value = value === null || typeof value !== 'object' ? undefined : (value as Record<string, unknown>)[part];
  return value;
}

function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
