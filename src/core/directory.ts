/** What this node answers for as an owner: which peers are interested in which channel (rule 6). Rows live as long as the session they came by. */
import type { Channel, Channels, Row } from './channels.js';
import { NO_ROWS } from './channels.js';
import type { Lookup, RegisterEntry } from './frames.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { RuleName } from './rules.js';

/** Whoever holds a copy of this node's answers (leases.ts). */
export interface Copies {
  /** A node became interested: `done` once no copy lacks it any more, perhaps at once. */
  added(channel: Channel, nodeId: string, done: () => void): void;
  removed(channel: Channel, nodeId: string): void;
  /** The peer may keep the answer that it is about to get; returns for how long, ms, 0 when not. */
  grant(channel: Channel, peer: Peer): number;
}

export class Directory {
  /** (channel, node) rows. */
  size = 0;

  constructor(
    private readonly channels: Channels,
    private readonly peers: Peers,
    private readonly copies: Copies,
    private readonly without: RuleName | undefined,
    /** Something is to be acknowledged to that peer at the end of the turn. */
    private readonly acknowledge: (peer: Peer, version: number) => void,
  ) {}

  onRegister(peer: Peer, entries: readonly RegisterEntry[]): void {
    for (const { channel: name, version, on } of entries) {
      if (on) this.add(peer, this.channels.get(name), version);
      else {
        const channel = this.channels.find(name);
        if (channel !== undefined && this.remove(peer, channel) && peer.synced === this.peers.digest) {
          // Only then: who is without the sync mark may just be moving its interest to other owners.
          this.copies.removed(channel, peer.nodeId);
        }
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
    this.copies.added(channel, peer.nodeId, () => {
      if (peer.session === session) this.acknowledge(peer, version);
    });
  }

  private remove(peer: Peer, channel: Channel): boolean {
    if (!peer.registered.delete(channel)) return false;
    const rows = channel.rows.filter((row) => row.peer !== peer);
    channel.rows = rows.length === 0 ? NO_ROWS : rows;
    this.size--;
    this.channels.release(channel);
    return true;
  }

  /**
   * Its rows came by that session and end with it: until it has announced itself again it counts as interested in everything.
   * So nothing is taken out of the copies: there, its rows are still right.
   */
  sessionLost(peer: Peer): void {
    for (const channel of peer.registered) this.remove(peer, channel);
    peer.registerAcks = [];
  }

  /** Answers who is interested, or that the asker's view is another one (rule 6). */
  onLookup(peer: Peer, { id, channel: name, digest, lease }: Lookup): void {
    const channel = this.channels.get(name);
    const sameView = digest === this.peers.digest || this.without === 'digest-equality';
    const valid = (sameView && this.peers.owns(channel)) || this.without === 'owner-check';
    const nodes = valid ? this.interested(channel) : [];
    const leaseMs = valid && lease ? this.copies.grant(channel, peer) : 0;
    peer.outbox.sendControl({ kind: 'lookupAnswer', id, digest: this.peers.digest, valid, nodes, leaseMs });
    this.channels.release(channel);
  }

  /** The directory's nodes, and every member that this node has no proof about. */
  private interested(channel: Channel): string[] {
    const nodes = new Set(channel.rows.map((row) => row.peer.nodeId));
    if (channel.interest !== null) nodes.add(this.peers.selfId);
    if (this.without !== 'unsynced-members-included') for (const { nodeId } of this.peers.unsynced()) nodes.add(nodeId);
    return [...nodes];
  }
}
