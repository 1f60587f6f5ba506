/**
 * The channels that this node has anything to do with: one record each, so that a publish needs one look-up by name.
 * The parts of a record belong to the file that is named beside them; a record with no part left is forgotten.
 */
import type { Interest } from './interest.js';
import type { GrantedLeases } from './leases.js';
import type { PublisherSide } from './lookup.js';
import type { Counted } from './outbox.js';
import { type Pattern, patternOf } from './pattern.js';
import { Patterns } from './patterns.js';
import type { Peer } from './peer.js';
import type { LocalAudience } from './subscribers.js';

/** A node that is interested in a channel. */
export interface Row extends Counted {
  readonly peer: Peer;
}

export class Channel {
  /** Owners in the view `ownersDigest`, and whether this node is one (peers.ts). */
  owners: readonly string[] = [];
  ownersDigest = '';
  owned = false;
  /** Local subscribers (subscribers.ts), and what the owners know of them (interest.ts). */
  audience: LocalAudience | null = null;
  interest: Interest | null = null;
  /** Interested peers, when this node answers for the channel, and who keeps a copy of that answer (directory.ts, leases.ts). */
  rows: readonly Row[] = NO_ROWS;
  granted: GrantedLeases | null = null;
  /** Look-ups, leases and waiting publishes of this node (lookup.ts). */
  publisher: PublisherSide | null = null;

  constructor(
    readonly name: string,
    /** Set where the record stands for all channels that match (pattern.ts). */
    readonly pattern: Pattern | null = null,
  ) {}
}

export const NO_ROWS: readonly Row[] = [];
const NO_CHANNELS: readonly Channel[] = [];

export class Channels {
  private readonly byName = new Map<string, Channel>();
  private readonly patterns = new Patterns();

  get size(): number {
    return this.byName.size;
  }
  find(name: string): Channel | undefined {
    return this.byName.get(name);
  }
  /** The record, made when there is none. Whoever takes a part out of it calls `release`. */
  get(name: string): Channel {
    let channel = this.byName.get(name);
    if (channel === undefined) {
      channel = new Channel(name, patternOf(name));
      this.byName.set(name, channel);
      if (channel.pattern !== null) this.patterns.add(channel);
    }
    return channel;
  }
  /** Records of the patterns, of any node, that the channel of that name matches. */
  matching(name: string): readonly Channel[] {
    return this.patterns.size === 0 ? NO_CHANNELS : this.patterns.matching(name);
  }
  /** Forgets the record when nothing is in it any more. */
  release(channel: Channel): void {
    const { audience, interest, rows, granted, publisher } = channel;
    const empty = audience === null && interest === null && rows.length === 0 && granted === null && publisher === null;
    if (!empty || !this.byName.delete(channel.name)) return;
    if (channel.pattern !== null) this.patterns.delete(channel);
  }
}
