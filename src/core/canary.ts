/** A message to each peer in turn whose echo shows that its data link delivers; readiness and `lumesh members` look at it. */
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { Cancel, Clock } from './ports.js';

export class Canaries {
  private lastId = 0;
  /** The canary under way to each peer. */
  private readonly sent = new Map<Peer, { readonly id: number; readonly at: number }>();
  private turn = 0;
  stop: Cancel = () => {};

  constructor(
    private readonly peers: Peers,
    private readonly clock: Clock,
    private readonly everyMs: number,
  ) {}

  /** One peer at a time, so that the cost does not grow with the mesh. */
  start(): void {
    this.stop = this.clock.after(this.everyMs, () => {
      const { inView } = this.peers;
      if (inView.length > 0) this.send(inView[this.turn++ % inView.length]);
      this.start();
    });
  }

  send(peer: Peer): void {
    if (peer.session === null) return;
    const id = ++this.lastId;
    this.sent.set(peer, { id, at: this.clock.now() });
    peer.outbox.sendLoose({ kind: 'canary', id });
  }

  onEcho(peer: Peer, id: number): void {
    const canary = this.sent.get(peer);
    if (canary?.id !== id) return;
    this.sent.delete(peer);
    const now = this.clock.now();
    peer.roundTripMs = now - canary.at;
    peer.lastEchoAt = now;
  }

  sessionLost(peer: Peer): void {
    this.sent.delete(peer);
    peer.lastEchoAt = null;
    peer.roundTripMs = null;
  }
}
