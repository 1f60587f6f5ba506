/** What this node answers for as an owner: which peers are interested in which channel (rule 6). Rows live as long as the session they came by. */
import type { Channel, Channels, Row } from './channels.js';
import { NO_ROWS } from './channels.js';
import type { RegisterEntry } from './frames.js';
import type { Peer } from './peer.js';

/** Whoever holds a copy of this node's answers (leases.ts). */
export interface Copies {
  /** A node became interested: `done` once no copy lacks it any more, perhaps at once. */
  added(channel: Channel, peer: Peer, done: () => void): void;
  removed(channel: Channel, peer: Peer): void;
}

export class Directory {
  /** (channel, node) rows. */
  size = 0;

  constructor(
    private readonly channels: Channels,
    private readonly copies: Copies,
    /** Something is to be acknowledged to that peer at the end of the turn. */
    private readonly acknowledge: (peer: Peer, version: number) => void,
  ) {}

  onRegister(peer: Peer, entries: readonly RegisterEntry[]): void {
    for (const { channel: name, version, on } of entries) {
      if (on) this.add(peer, this.channels.get(name), version);
      else {
        const channel = this.channels.find(name);
        if (channel !== undefined) this.remove(peer, channel);
        this.acknowledge(peer, version);
      }
    }
  }

  private add(peer: Peer, channel: Channel, version: number): void {
    if (!peer.registered.has(channel)) {
      peer.registered.add(channel);
      const row: Row = { peer, lastCount: 1 };
      if (channel.rows === NO_ROWS) channel.rows = [row];
      else (channel.rows as Row[]).push(row);
      this.size++;
    }
    const { session } = peer;
    this.copies.added(channel, peer, () => {
      if (peer.session === session) this.acknowledge(peer, version);
    });
  }

  private remove(peer: Peer, channel: Channel): void {
    if (!peer.registered.delete(channel)) return;
    const rows = channel.rows.filter((row) => row.peer !== peer);
    channel.rows = rows.length === 0 ? NO_ROWS : rows;
    this.size--;
    this.copies.removed(channel, peer);
    this.channels.release(channel);
  }

  /** Its rows came by that session and end with it: until it announces itself again it counts as interested in everything. */
  sessionLost(peer: Peer): void {
    for (const channel of peer.registered) this.remove(peer, channel);
    peer.registerAcks = [];
  }
}
