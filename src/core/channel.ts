/** What a channel's name may be (LUA_API.md "Connection"): 1 to 255 bytes of UTF-8 without white space or control characters. */

const MAX_BYTES = 255;
const REFUSED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
  /[\s\u0000-\u001f\u007f-\u009f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/u;

/** Why `name` cannot be a channel, in words for the caller's error; null when it can. */
export function channelProblem(name: unknown): string | null {
  if (typeof name !== 'string') return `a channel must be a string, not ${name === null ? 'null' : typeof name}`;
  if (name.length === 0) return 'a channel must not be empty';
  if (name.length > MAX_BYTES || utf8Length(name) > MAX_BYTES) {
    return `a channel may have at most ${MAX_BYTES} bytes, "${name.slice(0, 24)}…" has ${utf8Length(name)}`;
  }
  if (REFUSED.test(name))
    return `a channel must not contain white space or control characters: ${JSON.stringify(name)}`;
  return null;
}

/** Bytes of `text` in UTF-8, without encoding it. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && i + 1 < text.length) {
      bytes += 2;
      i++;
    } else bytes += 2;
  }
  return bytes;
}
