/**
 * The other nodes: who is in the present view, which sessions are open, and what follows from both for routing: whether
 * this node is settled (rule 3), who owns a channel, and which members have to be sent to because nothing proves otherwise
 * (rules 6 and 7).
 */
import type { Channel } from './channels.js';
import type { Peer } from './peer.js';
import type { LinkId } from './ports.js';
import type { View } from './view.js';

export class Peers {
  /** Every member owns every channel, this node among them. */
  ownsAll = false;
  /** Members of the view but this node, by nodeId; some may have no session. */
  inView: readonly Peer[] = [];
  private readonly byId = new Map<string, Peer>();
  private readonly byLink = new Map<LinkId, Peer>();
  private unsyncedNow: readonly Peer[] | null = null;
  private mismatchedNow: readonly Peer[] | null = null;
  private settledNow: boolean | null = null;

  constructor(
    readonly selfId: string,
    public view: View,
  ) {
    this.turnTo(view);
  }

  get digest(): string {
    return this.view.digest;
  }
  all(): IterableIterator<Peer> {
    return this.byId.values();
  }
  find(nodeId: string): Peer | undefined {
    return this.byId.get(nodeId);
  }
  ofLink(link: LinkId): Peer | undefined {
    return this.byLink.get(link);
  }
  add(peer: Peer): void {
    this.byId.set(peer.nodeId, peer);
  }
  remove(peer: Peer): void {
    if (this.byId.get(peer.nodeId) === peer) this.byId.delete(peer.nodeId);
  }
  bind(peer: Peer, link: LinkId): void {
    this.byLink.set(link, peer);
    this.touch();
  }
  unbind(link: LinkId): void {
    this.byLink.delete(link);
    this.touch();
  }

  /** Takes over a new view whose members all have a Peer already. */
  turnTo(view: View): void {
    this.view = view;
    for (const peer of this.byId.values()) peer.inView = false;
    this.inView = view.members
      .filter((member) => member.nodeId !== this.selfId)
      .map((member) => this.byId.get(member.nodeId)!);
    for (const peer of this.inView) peer.inView = true;
    const owners = view.ring.owners('');
    const all = owners.length === view.members.filter(({ role }) => role === 'full').length;
    this.ownsAll = all && owners.includes(this.selfId);
    this.touch();
  }

  /** Something that a peer announced, or its session, has changed. */
  touch(): void {
    this.unsyncedNow = null;
    this.mismatchedNow = null;
    this.settledNow = null;
  }

  /** Every member of this view acknowledged it (rule 3). */
  settled(): boolean {
    this.settledNow ??= this.inView.every((peer) => peer.acked === this.view.digest);
    return this.settledNow;
  }

  /** Members whose sync mark is not this view: they may have interest that this node's directory lacks (rule 6). */
  unsynced(): readonly Peer[] {
    this.unsyncedNow ??= this.inView.filter((peer) => peer.synced !== this.view.digest);
    return this.unsyncedNow;
  }

  /** Members that announced another view, or none: other nodes may own their interest (rule 7). */
  mismatched(): readonly Peer[] {
    this.mismatchedNow ??= this.inView.filter((peer) => peer.announced !== this.view.digest);
    return this.mismatchedNow;
  }

  /** Ids of the channel's owners in the present view, in the order in which they are asked. */
  owners(channel: Channel): readonly string[] {
    if (channel.ownersDigest !== this.view.digest) {
      channel.ownersDigest = this.view.digest;
      channel.owners = this.view.ring.owners(channel.name);
      channel.owned = channel.owners.includes(this.selfId);
    }
    return channel.owners;
  }
  /** This node is one of them. */
  owns(channel: Channel): boolean {
    this.owners(channel);
    return channel.owned;
  }
}
