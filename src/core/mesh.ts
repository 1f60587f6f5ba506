/**
 * One node of the mesh: puts the parts of the core together and is what the process (node.ts) and the simulator hold.
 */

import type { Frame, MemberRecord } from './frames.js';
import type { AskOutcome, PublishResult, SubscribeOutcome } from './message.js';
import type { MeshOptions } from './options.js';
import type { Lane, LinkEnd, LinkEvents, LinkId, Ports, Subscriber } from './ports.js';
import type { ChannelExplanation, MeshCounts, PeerReport, Phase } from './report.js';

export class Mesh implements LinkEvents {
  readonly nodeId: string;
  /** Random number of this process, 1 .. 2^31-1. */
  readonly boot: number;

  constructor(
    readonly options: MeshOptions,
    readonly ports: Ports,
  ) {
    this.nodeId = options.node.nodeId;
    this.boot = ports.random.uint32() & 0x7fffffff || 1;
  }

  /** Joins through the seeds (host:port; an unknown name counts as unreachable); none: begins a mesh of its own. `onReady` is called once. */
  start(_seeds: readonly string[], _onReady: () => void): void {}
  /** Further seeds, such as the addresses that a name means now. */
  addSeeds(_addresses: readonly string[]): void {}
  /** Ends at once, without a word to the others (a crash, for the simulator; the last step of a process). */
  stop(): void {}
  /** Leaves politely (rule 18). `drain` is called when clients should be closed, and calls its argument when they are. */
  leave(_drain: (drained: () => void) => void, _done: () => void): void {}

  get phase(): Phase {
    return 'joining';
  }
  /** Why this node is not ready, in words; empty when it is. */
  notReadyReasons(): string[] {
    return [];
  }
  /** A client id for a new subscriber. */
  newClientId(): string {
    return '';
  }

  /** The subscriber gets what is published on the channel from now on; `done` says when the whole mesh knows (rule 5). */
  subscribe(
    _subscriber: Subscriber,
    _channel: string,
    _done: (outcome: SubscribeOutcome) => void,
    _options?: { readonly allowDegraded?: boolean },
  ): void {}
  /** False when it was not subscribed. A subscribe that still waits ends with `closed`. */
  unsubscribe(_subscriber: Subscriber, _channel: string): boolean {
    return false;
  }
  unsubscribeAll(_subscriber: Subscriber): void {}
  channelsOf(_subscriber: Subscriber): string[] {
    return [];
  }

  /** Null when accepted, then `done` is called once, perhaps before this returns; else why not. `data` belongs to the mesh from here on. */
  publish(
    _channel: string,
    _data: Uint8Array,
    _binary: boolean,
    _done: ((result: PublishResult) => void) | null,
  ): string | null {
    return null;
  }

  /** Asks another node (by id or boot; also itself), answered by its `answer` of that op. `done` is called once, later. */
  ask(_target: string | number, _op: string, _body: Uint8Array, _done: (outcome: AskOutcome) => void): void {}
  answer(_op: string, _fn: (body: Uint8Array, reply: (ok: boolean, body: Uint8Array) => void) => void): void {}

  /** Calls `fn` when messages from `peer` may have been missed: on that channel, or on any (null). */
  onGap(_fn: (channel: string | null, peer: string, why: string) => void): void {}

  self(): MemberRecord {
    throw new Error('not started');
  }
  members(): PeerReport[] {
    return [];
  }
  digest(): string {
    return '';
  }
  settled(): boolean {
    return false;
  }
  explain(channel: string): ChannelExplanation {
    return { channel, subscribers: 0, owners: [], route: [], lookup: false };
  }
  counts(): MeshCounts {
    throw new Error('not started');
  }

  opened(_link: LinkId, _dialed: string | null, _remote: string): void {}
  received(_link: LinkId, _lane: Lane, _frames: readonly Frame[]): void {}
  drained(_link: LinkId, _lane: Lane): void {}
  closed(_link: LinkId, _end: LinkEnd, _text: string): void {}
}
