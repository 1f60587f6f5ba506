/**
 * Payloads that prove their own delivery: fixed size, printable, with a sequence number in front. A receiver checks that each
 * number is one more than the last, which finds what is lost, doubled, changed in order or cut.
 */
const DIGITS = 10;

/** A payload of `size` bytes; `number(n)` writes the sequence number into it. */
export function payloadOf(size) {
  const bytes = Buffer.alloc(size, 'x');
  return {
    bytes,
    number(n) {
      let rest = n;
      for (let i = DIGITS - 1; i >= 0; i--) {
        bytes[i] = 48 + (rest % 10);
        rest = Math.floor(rest / 10);
      }
      return bytes;
    },
  };
}

/** The sequence number of a payload that starts at `start`. */
export function numberAt(buffer, start) {
  let n = 0;
  for (let i = 0; i < DIGITS; i++) n = n * 10 + buffer[start + i] - 48;
  return n;
}
