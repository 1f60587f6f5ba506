/** A Backplane for tests: a mesh of one node with scripted subscribers, whose outcomes a test can set. */

import type {
  BackEndSubscriber,
  Backplane,
  CallName,
  CallOutcome,
  ChannelReport,
  NodeReport,
} from '../../src/api/roles.js';
import type { Message, PublishResult, SubscribeOutcome } from '../../src/core/message.js';
import { patternOf } from '../../src/core/pattern.js';
import type { Log, Meter } from '../../src/core/ports.js';

export class FakeBackplane implements Backplane {
  readonly nodeId = 'node-1';
  readonly version = '1.2.3';
  /** Lines of the level error. */
  readonly errors: string[] = [];
  readonly log: Log = { debug() {}, info() {}, warn() {}, error: (message) => void this.errors.push(message) };
  /** `name/label` → sum */
  readonly counted = new Map<string, number>();
  readonly meter: Meter = {
    count: (name, by = 1, label = '') => {
      const key = label === '' ? name : `${name}/${label}`;
      this.counted.set(key, (this.counted.get(key) ?? 0) + by);
    },
    observe() {},
  };
  reasons: string[] = [];
  /** Set to make publish refuse with this text. */
  refusal: string | null = null;
  /** What publish answers besides the counts of subscribed back ends. */
  result: PublishResult = { success: 0, fail: 0, unconfirmed: [] };
  outcome: CallOutcome = { ok: true };
  subscribeOutcome: SubscribeOutcome = { ok: true, degraded: false };
  /** Answers of publish wait here while it is not null, to be called by the test. */
  held: (() => void)[] | null = null;
  readonly published: (Message & { waited: boolean })[] = [];
  readonly sent: { clientId: string; text: string; binary: boolean }[] = [];
  readonly calls: { clientId: string; call: CallName; args: readonly unknown[] }[] = [];
  readonly subscribers = new Map<string, Set<BackEndSubscriber>>();
  private ids = 0;

  readiness() {
    return { ready: this.reasons.length === 0, reasons: this.reasons };
  }

  publish(channel: string, data: Uint8Array, binary: boolean, done: ((result: PublishResult) => void) | null) {
    if (this.refusal !== null) return this.refusal;
    const message = { channel, data, binary };
    this.published.push({ ...message, waited: done !== null });
    let { success, fail } = this.result;
    for (const [name, subscribers] of this.subscribers) {
      const meant = patternOf(name)?.matches(channel) ?? name === channel;
      for (const subscriber of meant ? subscribers : []) {
        if (subscriber.take(message)) success++;
        else fail++;
      }
    }
    const answer = () => done?.({ ...this.result, success, fail });
    if (this.held === null) answer();
    else this.held.push(answer);
    return null;
  }

  send(clientId: string, data: Uint8Array, binary: boolean, done: (outcome: CallOutcome) => void): void {
    this.sent.push({ clientId, text: Buffer.from(data).toString(), binary });
    done(this.outcome);
  }

  call(clientId: string, call: CallName, args: readonly unknown[], done: (outcome: CallOutcome) => void): void {
    this.calls.push({ clientId, call, args });
    done(this.outcome);
  }

  subscribe(subscriber: BackEndSubscriber, channel: string, done: (outcome: SubscribeOutcome) => void): void {
    if (this.subscribeOutcome.ok) {
      const set = this.subscribers.get(channel) ?? new Set();
      this.subscribers.set(channel, set.add(subscriber));
    }
    done(this.subscribeOutcome);
  }

  unsubscribe(subscriber: BackEndSubscriber, channel: string): void {
    this.subscribers.get(channel)?.delete(subscriber);
  }

  newSubscriberId(): string {
    return String(2 ** 33 + ++this.ids);
  }

  nodes(done: (nodes: readonly NodeReport[]) => void): void {
    const address = { address: '127.0.0.1:6788', api: '127.0.0.1:6789', version: this.version };
    const counts = { connections: 3, channels: 1, subscriptions: 3 };
    done([{ nodeId: this.nodeId, state: 'alive', role: 'full', ...address, self: true, ...counts, link: null }]);
  }

  channel(channel: string, done: (report: ChannelReport) => void): void {
    const route = [{ nodeId: this.nodeId, why: 'interest' }];
    done({ channel, subscribers: { [this.nodeId]: 3 }, patterns: [], owners: [this.nodeId], route, lookup: null });
  }

  async metrics(): Promise<string> {
    return '# HELP lumesh_up Up.\nlumesh_up 1\n';
  }
}
