/** Base64 of RFC 4648 (section 4, with padding) over bytes. What is not base64 is refused, not guessed at. */
import { Refused } from './refused.js';

/** Beyond it, text and copies on the way would take several times the VM's own memory. */
const MAX_BYTES = 16 * 1024 * 1024;

export function base64Encode(bytes: Buffer): Buffer | Refused {
  if (bytes.length > MAX_BYTES) return new Refused(`more than ${MAX_BYTES} bytes`);
  return Buffer.from(bytes.toString('base64'), 'latin1');
}

/** Line breaks are skipped, as mail and PEM files have them; any other foreign character or missing padding is refused. */
export function base64Decode(text: Buffer): Buffer | Refused {
  if (text.length > MAX_BYTES) return new Refused(`more than ${MAX_BYTES} bytes`);
  const digits = text.toString('latin1').replace(/[\r\n]+/g, '');
  const foreign = /[^A-Za-z0-9+/=]/.exec(digits);
  if (foreign !== null) return new Refused(`not base64: byte 0x${hex(foreign[0])} is outside of its alphabet`);
  if (!/^[^=]*={0,2}$/.test(digits)) return new Refused('not base64: "=" before the end');
  if (digits.length % 4 !== 0) return new Refused(`not base64: ${digits.length} digits, expected a multiple of 4`);
  return Buffer.from(digits, 'base64');
}

function hex(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(2, '0');
}
