/** The two kinds of what one can subscribe to, for everything that takes both alike: channels, and patterns of them. */
import { channelProblem } from './channel.js';
import { patternName, patternProblem } from './pattern.js';

export interface Subscribable {
  readonly kind: 'channel' | 'pattern';
  /** Why `text` cannot be one, in words for the caller's error; null when it can. */
  problem(text: unknown): string | null;
  /** What the mesh calls it. */
  name(text: string): string;
}

export const CHANNELS: Subscribable = { kind: 'channel', problem: channelProblem, name: (channel) => channel };
export const PATTERNS: Subscribable = { kind: 'pattern', problem: patternProblem, name: patternName };
