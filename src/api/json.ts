/**
 * The JSON side of the API's contract: reading requests without losing digits of client ids, and the envelopes
 * `{"E":null,"r":…}` and `{"E":{"c":…,"m":…}}` with the request's id as `i`.
 */
import type { MeshError } from '../errors.js';

export type Params = Readonly<Record<string, unknown>>;

/** Reads a JSON object; null when `text` is not one. */
export function parseObject(text: string): Params | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Params) : null;
  } catch {
    return null;
  }
}

/** A string literal (skipped whole), or an integer of at least 16 digits that JSON.parse may round. */
const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|(?<![\w.+-])-?\d{16,}(?![\d.eE])/g;

/** The same JSON text with long integers as strings, so that no digit is lost. `text` is known to be valid JSON. */
export function withLongIntegersAsText(text: string): string {
  return text.replace(STRING_OR_LONG_INTEGER, (match) => (match.startsWith('"') ? match : `"${match}"`));
}

/** A value of a request as an error shows it: never much of it, and without walking into it, which may be deep. */
export function excerpt(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}

/** Whether a parsed number may have lost digits. */
export function mayBeRounded(value: unknown): boolean {
  return typeof value === 'number' && !Number.isSafeInteger(value);
}

/** `idJson` is the request's id as JSON text, null when it has none (and always over HTTP). */
export function resultEnvelope(resultJson: string, idJson: string | null): string {
  return idJson === null ? `{"E":null,"r":${resultJson}}` : `{"E":null,"r":${resultJson},"i":${idJson}}`;
}

/** `retryAfter` (seconds) is only there where waiting will do. */
export function errorEnvelope(error: MeshError, idJson: string | null): string {
  const retry = error.retryAfter === undefined ? '' : `,"retryAfter":${error.retryAfter}`;
  const body = `{"E":{"c":${error.code},"m":${JSON.stringify(error.message)}${retry}}`;
  return idJson === null ? `${body}}` : `${body},"i":${idJson}}`;
}
