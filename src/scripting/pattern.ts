/**
 * Lua 5.4's pattern matching (the manual's section 6.4.1) with a budget: `step` is called every so often and may throw. The VM's own
 * matcher is used wherever a pattern cannot take long on its subject (guard.ts decides); it cannot be interrupted, and a
 * pattern such as "a*a*a*a*b" takes years on a page of text. Works on bytes; error texts are Lua's.
 */
import { ScriptError } from './stack.js';

const MAX_CAPTURES = 32;
/** Depth of nested tries, as in the VM's matcher. */
const MAX_DEPTH = 200;
const STEPS_PER_LOOK = 4096;

const CAPTURE_OPEN = -1;
const CAPTURE_POSITION = -2;

const [ESCAPE, OPEN, CLOSE, DOLLAR, DOT, SET, SET_END, CARET] = [37, 40, 41, 36, 46, 91, 93, 94];
const [LETTER_B, LETTER_F, DIGIT_0, DIGIT_9] = [98, 102, 48, 57];
const NOT_SPECIAL = -2;
const [STAR, PLUS, MINUS, QUESTION] = [42, 43, 45, 63];

/** One pattern on one subject. `match` gives the end of a match that begins exactly at `from`, or -1. */
export class Pattern {
  /** Captures of the last match: start, and length or CAPTURE_POSITION. */
  readonly starts = new Int32Array(MAX_CAPTURES);
  readonly lengths = new Int32Array(MAX_CAPTURES);
  level = 0;
  private depth = 0;
  private behind = 0;
  private steps = 0;

  constructor(
    private readonly subject: Uint8Array,
    private readonly pattern: Uint8Array,
    private readonly look: () => void,
  ) {}

  match(from: number, patternFrom: number): number {
    this.level = 0;
    this.depth = 0;
    return this.at(from, patternFrom);
  }

  isPosition(capture: number): boolean {
    return this.lengths[capture] === CAPTURE_POSITION;
  }

  private at(from: number, patternFrom: number): number {
    if (++this.depth > MAX_DEPTH) throw new ScriptError('pattern too complex');
    const { subject, pattern } = this;
    let s = from;
    let p = patternFrom;
    let found = -1;
    for (;;) {
      if (++this.steps % STEPS_PER_LOOK === 0) this.look();
      if (p === pattern.length) {
        found = s;
        break;
      }
      const c = pattern[p];
      if (c === OPEN) {
        const position = pattern[p + 1] === CLOSE;
        found = this.open(s, position ? p + 2 : p + 1, position ? CAPTURE_POSITION : CAPTURE_OPEN);
        break;
      }
      if (c === CLOSE) {
        found = this.close(s, p + 1);
        break;
      }
      if (c === DOLLAR && p + 1 === pattern.length) {
        found = s === subject.length ? s : -1;
        break;
      }
      if (c === ESCAPE) {
        const after = this.special(s, p);
        if (after === -1) break;
        if (after !== NOT_SPECIAL) {
          s = after;
          p = this.behind;
          continue;
        }
      }
      const end = this.itemEnd(p);
      const suffix = end < pattern.length ? pattern[end] : 0;
      if (suffix === STAR || suffix === PLUS) {
        if (suffix === PLUS && !this.single(s, p, end)) break;
        found = this.longest(suffix === PLUS ? s + 1 : s, p, end);
        break;
      }
      if (suffix === MINUS) {
        found = this.shortest(s, p, end);
        break;
      }
      if (suffix === QUESTION) {
        if (this.single(s, p, end)) {
          found = this.at(s + 1, end + 1);
          if (found !== -1) break;
        }
        p = end + 1;
        continue;
      }
      if (!this.single(s, p, end)) break;
      s++;
      p = end;
    }
    this.depth--;
    return found;
  }

  /** What "%b", "%f" and "%1" leave of the subject, with `behind` set to what follows in the pattern; -1 for no match. */
  private special(s: number, p: number): number {
    const { subject, pattern } = this;
    const letter = pattern[p + 1];
    if (letter === LETTER_B) {
      this.behind = p + 4;
      return this.balance(s, p + 2);
    }
    if (letter === LETTER_F) {
      const set = p + 2;
      if (pattern[set] !== SET) throw new ScriptError("missing '[' after '%f' in pattern");
      this.behind = this.itemEnd(set);
      const before = s === 0 ? 0 : subject[s - 1];
      const here = s === subject.length ? 0 : subject[s];
      return !this.inSet(before, set, this.behind - 1) && this.inSet(here, set, this.behind - 1) ? s : -1;
    }
    if (letter >= DIGIT_0 && letter <= DIGIT_9) {
      this.behind = p + 2;
      return this.backReference(s, letter);
    }
    return NOT_SPECIAL;
  }

  private longest(s: number, p: number, end: number): number {
    let count = 0;
    while (this.single(s + count, p, end)) {
      count++;
      if (++this.steps % STEPS_PER_LOOK === 0) this.look();
    }
    for (; count >= 0; count--) {
      const found = this.at(s + count, end + 1);
      if (found !== -1) return found;
    }
    return -1;
  }

  private shortest(from: number, p: number, end: number): number {
    for (let s = from; ; s++) {
      const found = this.at(s, end + 1);
      if (found !== -1) return found;
      if (!this.single(s, p, end)) return -1;
    }
  }

  private open(s: number, p: number, kind: number): number {
    if (this.level >= MAX_CAPTURES) throw new ScriptError('too many captures');
    this.starts[this.level] = s;
    this.lengths[this.level] = kind;
    this.level++;
    const found = this.at(s, p);
    if (found === -1) this.level--;
    return found;
  }

  private close(s: number, p: number): number {
    let capture = this.level - 1;
    while (capture >= 0 && this.lengths[capture] !== CAPTURE_OPEN) capture--;
    if (capture < 0) throw new ScriptError('invalid pattern capture');
    this.lengths[capture] = s - this.starts[capture];
    const found = this.at(s, p);
    if (found === -1) this.lengths[capture] = CAPTURE_OPEN;
    return found;
  }

  private balance(s: number, p: number): number {
    const { subject, pattern } = this;
    if (p + 1 >= pattern.length) throw new ScriptError("malformed pattern (missing arguments to '%b')");
    if (s >= subject.length || subject[s] !== pattern[p]) return -1;
    const [begin, end] = [pattern[p], pattern[p + 1]];
    let nested = 1;
    for (let i = s + 1; i < subject.length; i++) {
      if (++this.steps % STEPS_PER_LOOK === 0) this.look();
      if (subject[i] === end) {
        if (--nested === 0) return i + 1;
      } else if (subject[i] === begin) nested++;
    }
    return -1;
  }

  private backReference(s: number, digit: number): number {
    const capture = digit - 49;
    if (capture < 0 || capture >= this.level || this.lengths[capture] === CAPTURE_OPEN) {
      throw new ScriptError(`invalid capture index %${capture + 1}`);
    }
    const { subject } = this;
    const [start, length] = [this.starts[capture], this.lengths[capture]];
    if (length === CAPTURE_POSITION) return -1;
    this.steps += length;
    if (subject.length - s < length) return -1;
    for (let i = 0; i < length; i++) if (subject[start + i] !== subject[s + i]) return -1;
    return s + length;
  }

  /** Whether the byte at `s` matches the item from `p` to `end`. */
  private single(s: number, p: number, end: number): boolean {
    if (s >= this.subject.length) return false;
    const c = this.subject[s];
    const item = this.pattern[p];
    if (item === DOT) return true;
    if (item === ESCAPE) return inClass(c, this.pattern[p + 1]);
    if (item === SET) return this.inSet(c, p, end - 1);
    return item === c;
  }

  /** `p` at "[", `last` at its "]". */
  private inSet(c: number, p: number, last: number): boolean {
    const { pattern } = this;
    let i = p + 1;
    const positive = pattern[i] !== CARET;
    if (!positive) i++;
    for (; i < last; i++) {
      if (pattern[i] === ESCAPE) {
        i++;
        if (inClass(c, pattern[i])) return positive;
      } else if (pattern[i + 1] === MINUS && i + 2 < last) {
        if (pattern[i] <= c && c <= pattern[i + 2]) return positive;
        i += 2;
      } else if (pattern[i] === c) return positive;
    }
    return !positive;
  }

  /** Where the item that begins at `p` ends. */
  private itemEnd(p: number): number {
    const { pattern } = this;
    let i = p + 1;
    if (pattern[p] === ESCAPE) {
      if (i >= pattern.length) throw new ScriptError("malformed pattern (ends with '%')");
      return i + 1;
    }
    if (pattern[p] !== SET) return i;
    if (pattern[i] === CARET) i++;
    do {
      if (i >= pattern.length) throw new ScriptError("malformed pattern (missing ']')");
      if (pattern[i++] === ESCAPE) i++;
    } while (i >= pattern.length || pattern[i] !== SET_END);
    return i + 1;
  }
}

/** Whether byte `c` is in class `letter`: %a %d … as in the C locale; a capital letter is the complement. */
function inClass(c: number, letter: number): boolean {
  const lower = letter | 32;
  const isLetter = (letter >= 65 && letter <= 90) || (letter >= 97 && letter <= 122);
  const known = isLetter ? classOf(c, lower) : undefined;
  if (known === undefined) return letter === c;
  return letter === lower ? known : !known;
}

function classOf(c: number, lower: number): boolean | undefined {
  const digit = c >= 48 && c <= 57;
  const alpha = (c >= 97 && c <= 122) || (c >= 65 && c <= 90);
  switch (lower) {
    case 97:
      return alpha;
    case 99:
      return c < 32 || c === 127;
    case 100:
      return digit;
    case 103:
      return c > 32 && c < 127;
    case 108:
      return c >= 97 && c <= 122;
    case 112:
      return c > 32 && c < 127 && !alpha && !digit;
    case 115:
      return c === 32 || (c >= 9 && c <= 13);
    case 117:
      return c >= 65 && c <= 90;
    case 119:
      return alpha || digit;
    case 120:
      return digit || (c >= 97 && c <= 102) || (c >= 65 && c <= 70);
    default:
      return undefined;
  }
}

/** Index of `wanted` in `subject` from `from` on, or -1, in time that grows with the sum of both lengths (Knuth, Morris, Pratt). */
export function indexOf(subject: Uint8Array, wanted: Uint8Array, from: number, look: () => void): number {
  if (wanted.length === 0) return from;
  const back = new Int32Array(wanted.length);
  for (let i = 1, k = 0; i < wanted.length; i++) {
    while (k > 0 && wanted[i] !== wanted[k]) k = back[k - 1];
    if (wanted[i] === wanted[k]) k++;
    back[i] = k;
    if (i % STEPS_PER_LOOK === 0) look();
  }
  for (let i = from, k = 0; i < subject.length; i++) {
    while (k > 0 && subject[i] !== wanted[k]) k = back[k - 1];
    if (subject[i] === wanted[k]) k++;
    if (k === wanted.length) return i - k + 1;
    if (i % STEPS_PER_LOOK === 0) look();
  }
  return -1;
}
