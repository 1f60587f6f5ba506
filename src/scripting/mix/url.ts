/** `mix.parse_url`: the parts of a URL or relative reference (RFC 3986), one character per byte as in text.ts. */
import { Refused } from './refused.js';
import { MAX_QUERY_BYTES, parseStr, percentDecode, type QueryTable } from './text.js';

/** A part that is not there is the empty string; `host` keeps its port, as in `example.com:8080`. */
export interface UrlParts {
  readonly scheme: string;
  readonly user: string;
  readonly host: string;
  readonly path: string;
  readonly raw_query: string;
  readonly query: QueryTable;
  readonly fragment: string;
}

/** RFC 3986 appendix B. */
const PARTS = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#([\s\S]*))?$/;

export function parseUrl(text: string): UrlParts | Refused {
  if (text.length > MAX_QUERY_BYTES) return new Refused(`more than ${MAX_QUERY_BYTES} bytes`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
  const control = /[\x00-\x20\x7f]/.exec(text);
  if (control !== null) return new Refused(`a URL must not contain byte ${control[0].charCodeAt(0)}, write it as %xx`);
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return new Refused('"%" must be followed by two hex digits');
  const [, scheme = '', authority = '', path = '', rawQuery = '', fragment = ''] = PARTS.exec(text) ?? [];
  if (scheme !== '' && !/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme)) {
    return new Refused(`"${scheme}" is not a scheme: letters, digits, "+", "-" and "." after a letter`);
  }
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  const hostProblem = checkHost(host);
  if (hostProblem !== null) return new Refused(hostProblem);
  const query = parseStr(rawQuery);
  if (query instanceof Refused) return query;
  return {
    scheme: scheme.toLowerCase(),
    user: at < 0 ? '' : percentDecode(authority.slice(0, at), false),
    host,
    path: percentDecode(path, false),
    raw_query: rawQuery,
    query,
    fragment: percentDecode(fragment, false),
  };
}

function checkHost(host: string): string | null {
  const match = /^(\[[0-9a-fA-F:.]+(?:%25[^\]]+)?\]|[^:[\]]*)(?::([0-9]*))?$/.exec(host);
  if (match === null) return `"${host}" is not a host with an optional port`;
  if (match[2] !== undefined && Number(match[2]) > 65535) return `port ${match[2]} is above 65535`;
  return null;
}
