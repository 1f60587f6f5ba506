/** How connections end: the codes and words that the gateway uses itself, and how an end is told to a script. */

/** A close under way: what the client is told, and what the script is told (null: a clean close). */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly error: string | null;
}

export const SLOW_CONSUMER: Ending = { code: 1013, reason: 'slow consumer', error: 'slow consumer' };
export const IDLE: Ending = { code: 1001, reason: 'idle timeout', error: 'idle timeout' };
export const TOO_LARGE: Ending = { code: 1009, reason: 'message too large', error: '1009 message too large' };
export const UNREAD: Ending = {
  code: 1008,
  reason: 'too many unanswered messages',
  error: 'too many unanswered messages',
};
export const RESTART: Ending = { code: 1012, reason: 'service restart', error: '1012 service restart' };

/** A close that the script or the API asked for. Codes that must not travel (RFC 6455, 7.4) become 1000. */
export function asked(code: number, reason: string): Ending {
  return { code: mayTravel(code) ? code : 1000, reason: clipped(reason), error: null };
}

function mayTravel(code: number): boolean {
  if (!Number.isInteger(code) || code < 1000 || code > 4999) return false;
  return code !== 1004 && code !== 1005 && code !== 1006 && code !== 1015 && !(code > 1015 && code < 3000);
}

const MAX_REASON_BYTES = 123;

/** The longest beginning of `reason` that fits a close frame, without cutting a character in two. */
function clipped(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  let end = MAX_REASON_BYTES;
  while ((bytes[end] & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** The library's words for a message beyond its own limit. */
const NATIVE_TOO_LARGE = 'Received too big message';

/** The script's view of a close that came from the client or the network: null for a clean one. */
export function errorOfClose(code: number, reason: string): string | null {
  if (code === 1000 || code === 1001 || code === 1005 || code === 0) return null;
  if (code === 1006) return reason === NATIVE_TOO_LARGE ? TOO_LARGE.error : '1006 abnormal closure';
  return reason ? `${code} ${reason}` : String(code);
}
