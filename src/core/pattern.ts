/**
 * Patterns of channels: in `room.*`, `*` stands for any run of characters, also for none, and nothing else is special. A
 * channel's name has no parts (`room.1`, `room:1` and `room_1` are alike to lumesh), so neither has a pattern.
 *
 * A pattern is kept, registered and subscribed to like a channel, under a name that no channel can have: a space and the
 * pattern. So a channel that is called `room.*` is something else.
 */
import { channelProblem } from './channel.js';

const MARK = ' ';

/** The name under which the mesh takes subscriptions to a pattern. */
export function patternName(pattern: string): string {
  return MARK + pattern;
}

export function isPatternName(name: string): boolean {
  return name.startsWith(MARK);
}

/** The pattern that such a name stands for; null for a channel's. */
export function patternOf(name: string): Pattern | null {
  return isPatternName(name) ? new Pattern(name.slice(MARK.length)) : null;
}

/** Why `pattern` cannot be one, in words for the caller's error; null when it can. It is made of what a channel is made of. */
export function patternProblem(pattern: unknown): string | null {
  return channelProblem(pattern)?.replace('a channel', 'a pattern') ?? null;
}

export class Pattern {
  /** What a channel's name must begin with. */
  readonly prefix: string;
  private readonly middle: readonly string[];
  /** What it must end with; null when there is no `*`, and the name is the prefix. */
  private readonly suffix: string | null;
  private readonly minLength: number;

  constructor(readonly text: string) {
    const pieces = text.split('*');
    this.prefix = pieces[0];
    this.suffix = pieces.length === 1 ? null : pieces[pieces.length - 1];
    this.middle = pieces.slice(1, -1).filter((piece) => piece !== '');
    this.minLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /**
   * Each piece is taken where it comes first, which leaves most room for the next ones: nothing is ever tried twice, whatever
   * the pattern.
   */
  matches(name: string): boolean {
    const suffix = this.suffix;
    if (suffix === null) return name === this.prefix;
    if (name.length < this.minLength || !name.startsWith(this.prefix) || !name.endsWith(suffix)) return false;
    let at = this.prefix.length;
    for (const piece of this.middle) {
      const found = name.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= name.length - suffix.length;
  }
}
