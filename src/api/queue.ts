/**
 * The queue of this node: what Lua pushed (mix.queue.push) and back ends consume over the WebSocket API. Bounded in memory, one
 * list per topic. Several consumers of a topic share it, each value goes to one. A value is done with once the consumer has
 * acknowledged it; or, with a consumer that does not acknowledge, once the operating system has it. Those that a consumer had
 * and was not done with when it went away go back to the front, for the others.
 */
import type { Meter } from '../core/ports.js';
import { MeshError } from '../errors.js';
import { Fifo } from './fifo.js';
import { excerpt } from './json.js';

/** A back end's connection, as the queue uses it. */
export interface Consumer {
  /** Bytes written to it that the operating system has not taken yet. */
  buffered(): number;
  /** Writes events, in order. Never refuses: the queue writes only while nothing is buffered. */
  writeEvents(events: readonly string[]): void;
}

export interface QueueLimits {
  /** Values one topic keeps. */
  readonly topicSize: number;
  readonly maxTopics: number;
}

/** What the queue needs of the process. `now` in milliseconds. */
export interface QueueClock {
  now(): number;
  endOfTurn(fn: () => void): void;
}

/** `length`: values that wait in the topic, this one included. */
export type PushOutcome =
  | { readonly ok: true; readonly length: number }
  | { readonly ok: false; readonly error: string };

interface Item {
  readonly topic: string;
  /** The event for a consumer that does not acknowledge. */
  readonly event: string;
  readonly at: number;
  /** Somebody got it before, and may have dealt with it. */
  again: boolean;
}

interface Topic {
  readonly items: Fifo<Item>;
  /** In turn: who got a value goes to the end. */
  readonly consumers: State[];
}

interface State {
  readonly consumer: Consumer;
  /** None once it has stopped; it is remembered until it is done with what it has. */
  topics: readonly string[];
  /** Values that it may have and not acknowledge; 0 when it does not acknowledge any. */
  window: number;
  /** By the number that it acknowledges, oldest first. */
  readonly unacknowledged: Map<number, Item>;
  /** Written without a number, but perhaps still in the connection's buffer; oldest first. */
  unsent: Item[];
}

/** So much is written to one consumer before looking whether its connection keeps up. */
const BATCH_BYTES = 64 * 1024;
const MAX_TOPIC_BYTES = 255;
const MAX_WINDOW = 10_000;

export class Queue {
  private readonly topics = new Map<string, Topic>();
  private readonly states = new Map<Consumer, State>();
  private readonly awake = new Set<string>();
  private lastNumber = 0;

  constructor(
    private readonly nodeId: string,
    private readonly limits: QueueLimits,
    private readonly clock: QueueClock,
    private readonly meter: Meter,
  ) {}

  /** Appends a value; `json` is its JSON text. */
  push(topic: string, clientId: string, json: string): PushOutcome {
    const problem = topicProblem(topic);
    if (problem !== null) return { ok: false, error: problem };
    if (!this.topics.has(topic) && this.topics.size >= this.limits.maxTopics) {
      return this.refused('queue_topics', `the queue has ${this.limits.maxTopics} topics already`);
    }
    const record = this.topic(topic);
    if (record.items.length >= this.limits.topicSize) {
      return this.refused('queue_full', `topic ${topic} is full: ${this.limits.topicSize} values wait`);
    }
    const head = `{"e":"queue.pop","p":{"n":${JSON.stringify(this.nodeId)},"c":${JSON.stringify(clientId)}`;
    const event = `${head},"t":${JSON.stringify(topic)},"d":${json}}}`;
    record.items.push({ topic, event, at: this.clock.now(), again: false });
    this.wake(topic);
    return { ok: true, length: record.items.length };
  }

  /**
   * Starts handing the topics' values to `consumer`, the waiting ones first. `window`: how many it may have and not acknowledge;
   * left out, it acknowledges none. Null, or why not.
   */
  consume(consumer: Consumer, topics: unknown, window?: unknown): MeshError | null {
    if (!Array.isArray(topics) || topics.length === 0)
      return new MeshError('invalid_argument', 't must be a list of topics');
    for (const name of topics) {
      const problem = topicProblem(name);
      if (problem !== null) return new MeshError('invalid_argument', problem);
    }
    if (!isWindow(window)) {
      return new MeshError('invalid_argument', `k must be a whole number from 1 to ${MAX_WINDOW}, or left out`);
    }
    const before = this.states.get(consumer);
    if (before !== undefined && before.topics.length > 0)
      return new MeshError('already_consuming', 'this connection consumes already');
    const names = [...new Set(topics as string[])];
    const added = names.filter((name) => !this.topics.has(name)).length;
    if (this.topics.size + added > this.limits.maxTopics) {
      return new MeshError(
        'consume_failed',
        `the queue may have ${this.limits.maxTopics} topics (lua.queue.maxTopics)`,
      );
    }
    const state = before ?? { consumer, topics: [], window: 0, unacknowledged: new Map(), unsent: [] };
    state.topics = names;
    state.window = window ?? 0;
    this.states.set(consumer, state);
    for (const name of names) {
      this.topic(name).consumers.push(state);
      this.wake(name);
    }
    return null;
  }

  /**
   * It is done with the values of those numbers (one, or a list). Null, or which of them it does not have, and then the others
   * count; none do when something else than a number is among them.
   */
  acknowledge(consumer: Consumer, numbers: unknown): MeshError | null {
    const state = this.states.get(consumer);
    const list = Array.isArray(numbers) ? numbers : [numbers];
    if (!list.every(Number.isSafeInteger)) {
      return new MeshError('invalid_argument', 'q must be the number of a value, or a list of numbers');
    }
    const unknown = list.filter((number) => !state?.unacknowledged.delete(number));
    if (state !== undefined) this.goOn(state);
    if (unknown.length === 0) return null;
    return new MeshError('invalid_argument', `q: this connection has no value ${excerpt(unknown[0])} to acknowledge`);
  }

  /** Stops handing values to `consumer`, which stays connected. False when it did not consume. */
  cancel(consumer: Consumer): boolean {
    const state = this.states.get(consumer);
    if (state === undefined || state.topics.length === 0) return false;
    this.leave(state);
    this.goOn(state);
    return true;
  }

  /** The connection is gone: what it was not done with goes to the others. Nobody asked for more topics, so their bound does not hold. */
  gone(consumer: Consumer): void {
    const state = this.states.get(consumer);
    if (state === undefined) return;
    for (const item of state.unacknowledged.values()) item.again = true;
    const back = [...state.unacknowledged.values(), ...state.unsent];
    for (const item of back.reverse()) this.topic(item.topic).items.unshift(item);
    this.leave(state);
    this.states.delete(consumer);
    for (const { topic } of back) this.wake(topic);
  }

  /** The connection's buffer went down. */
  drained(consumer: Consumer): void {
    const state = this.states.get(consumer);
    if (state === undefined) return;
    trimUnsent(state);
    this.goOn(state);
  }

  /** It may take more, or there is nothing left to remember it for. */
  private goOn(state: State): void {
    const done = state.unacknowledged.size === 0 && state.unsent.length === 0;
    if (done && state.topics.length === 0) this.states.delete(state.consumer);
    if (isReady(state)) for (const name of state.topics) this.wake(name);
  }

  /** Values that wait, by topic. */
  depths(): ReadonlyMap<string, number> {
    return new Map([...this.topics].map(([name, topic]) => [name, topic.items.length]));
  }

  /** Seconds that the oldest waiting value of each topic has waited. */
  ages(): ReadonlyMap<string, number> {
    const now = this.clock.now();
    return new Map([...this.topics].map(([name, { items }]) => [name, (now - (items.first()?.at ?? now)) / 1000]));
  }

  /** Values that consumers have and did not acknowledge yet, by topic. */
  unacknowledged(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const state of this.states.values()) {
      for (const { topic } of state.unacknowledged.values()) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    }
    return counts;
  }

  private refused(reason: string, error: string): PushOutcome {
    this.meter.count('drops_total', 1, reason);
    return { ok: false, error };
  }

  /** The topic's record, made when there is none. */
  private topic(name: string): Topic {
    const known = this.topics.get(name);
    if (known !== undefined) return known;
    const topic: Topic = { items: new Fifo(), consumers: [] };
    this.topics.set(name, topic);
    return topic;
  }

  private leave(state: State): void {
    const { topics } = state;
    state.topics = [];
    for (const name of topics) {
      const topic = this.topics.get(name);
      if (topic === undefined) continue;
      topic.consumers.splice(topic.consumers.indexOf(state), 1);
      this.dropIfUnused(name, topic);
    }
  }

  private dropIfUnused(name: string, topic: Topic): void {
    if (topic.items.length === 0 && topic.consumers.length === 0) this.topics.delete(name);
  }

  /** Hands out at the end of the turn, so that what was pushed together is written together. */
  private wake(topic: string): void {
    if (this.awake.size === 0) this.clock.endOfTurn(() => this.handOut());
    this.awake.add(topic);
  }

  private handOut(): void {
    const names = [...this.awake];
    this.awake.clear();
    for (const name of names) {
      const topic = this.topics.get(name);
      while (topic !== undefined && this.handRound(topic));
      if (topic !== undefined) this.dropIfUnused(name, topic);
    }
  }

  /** Gives each ready consumer of the topic its share of one round. True when there may be another round. */
  private handRound(topic: Topic): boolean {
    const ready = topic.consumers.filter(isReady);
    const takers = [...ready];
    const batches = new Map<State, string[]>(ready.map((state) => [state, []]));
    let bytes = 0;
    while (topic.items.length > 0 && takers.length > 0 && bytes < BATCH_BYTES * ready.length) {
      const state = takers.shift() as State;
      const event = this.give(state, topic.items.shift() as Item);
      batches.get(state)?.push(event);
      bytes += event.length;
      if (hasRoom(state)) takers.push(state);
    }
    for (const [state, events] of batches) {
      if (events.length === 0) continue;
      state.consumer.writeEvents(events);
      trimUnsent(state);
      topic.consumers.push(...topic.consumers.splice(topic.consumers.indexOf(state), 1));
    }
    return ready.length > 0 && topic.items.length > 0;
  }

  /** From now on it is the consumer's, until that is done with it. Returns the event to write. */
  private give(state: State, item: Item): string {
    if (state.window === 0) {
      state.unsent.push(item);
      return item.event;
    }
    const number = ++this.lastNumber;
    state.unacknowledged.set(number, item);
    return `${item.event.slice(0, -'}}'.length)},"q":${number}${item.again ? ',"r":true' : ''}}}`;
  }
}

const hasRoom = ({ window, unacknowledged }: State): boolean => window === 0 || unacknowledged.size < window;

const isReady = (state: State): boolean =>
  state.unsent.length === 0 && state.consumer.buffered() === 0 && hasRoom(state);

/** Null as well: some languages write what is left out so. */
const isWindow = (window: unknown): window is number | null | undefined =>
  window === undefined ||
  window === null ||
  (typeof window === 'number' && Number.isInteger(window) && window >= 1 && window <= MAX_WINDOW);

/** Forgets the written values that the operating system has by now: all but the last `buffered` bytes. */
function trimUnsent(state: State): void {
  let left = state.consumer.buffered();
  let keep = state.unsent.length;
  while (keep > 0 && left > 0) left -= frameBytes(state.unsent[--keep].event);
  state.unsent = state.unsent.slice(keep);
}

/** Bytes of a WebSocket text frame from a server (RFC 6455, 5.2). */
function frameBytes(text: string): number {
  const bytes = Buffer.byteLength(text);
  return bytes + (bytes < 126 ? 2 : bytes < 65536 ? 4 : 10);
}

function topicProblem(topic: unknown): string | null {
  if (typeof topic !== 'string' || topic === '') return 'a topic must be a string that is not empty';
  return Buffer.byteLength(topic) > MAX_TOPIC_BYTES ? `a topic may have at most ${MAX_TOPIC_BYTES} bytes` : null;
}
