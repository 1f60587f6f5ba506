/**
 * The queue of this node: what Lua pushed (mix.queue.push) and back ends consume over the WebSocket API. Bounded in memory, one
 * list per topic. Several consumers of a topic share it, each value goes to one. A value counts as sent once the operating system
 * has it; those that a consumer still had in its buffer when it went away go back to the front, for the others.
 */
import type { Meter } from '../core/ports.js';
import { MeshError } from '../errors.js';
import { Fifo } from './fifo.js';

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
  readonly event: string;
  readonly at: number;
}

interface Topic {
  readonly items: Fifo<Item>;
  /** In turn: who got a value goes to the end. */
  readonly consumers: State[];
}

interface State {
  readonly consumer: Consumer;
  /** None once it has stopped; it is remembered until nothing is unsent. */
  topics: readonly string[];
  /** Written, but perhaps still in the connection's buffer; oldest first. */
  unsent: Item[];
}

/** So much is written to one consumer before looking whether its connection keeps up. */
const BATCH_BYTES = 64 * 1024;
const MAX_TOPIC_BYTES = 255;

export class Queue {
  private readonly topics = new Map<string, Topic>();
  private readonly states = new Map<Consumer, State>();
  private readonly awake = new Set<string>();

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
    const record = this.topic(topic);
    if (record === null) return this.refused('queue_topics', `the queue has ${this.limits.maxTopics} topics already`);
    if (record.items.length >= this.limits.topicSize) {
      return this.refused('queue_full', `topic ${topic} is full: ${this.limits.topicSize} values wait`);
    }
    const head = `{"e":"queue.pop","p":{"n":${JSON.stringify(this.nodeId)},"c":${JSON.stringify(clientId)}`;
    record.items.push({ topic, event: `${head},"t":${JSON.stringify(topic)},"d":${json}}}`, at: this.clock.now() });
    this.wake(topic);
    return { ok: true, length: record.items.length };
  }

  /** Starts handing the topics' values to `consumer`, the waiting ones first. Null, or why not. */
  consume(consumer: Consumer, topics: unknown): MeshError | null {
    if (!Array.isArray(topics) || topics.length === 0)
      return new MeshError('invalid_argument', 't must be a list of topics');
    for (const name of topics) {
      const problem = topicProblem(name);
      if (problem !== null) return new MeshError('invalid_argument', problem);
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
    const state: State = { consumer, topics: names, unsent: before?.unsent ?? [] };
    this.states.set(consumer, state);
    for (const name of names) {
      this.topic(name)?.consumers.push(state);
      this.wake(name);
    }
    return null;
  }

  /** Stops handing values to `consumer`, which stays connected. False when it did not consume. */
  cancel(consumer: Consumer): boolean {
    const state = this.states.get(consumer);
    if (state === undefined || state.topics.length === 0) return false;
    this.leave(state);
    if (state.unsent.length === 0) this.states.delete(consumer);
    return true;
  }

  /** The connection is gone: what it had not sent yet goes to the others. */
  gone(consumer: Consumer): void {
    const state = this.states.get(consumer);
    if (state === undefined) return;
    for (const item of state.unsent.reverse()) {
      const topic = this.topic(item.topic);
      if (topic === null) this.meter.count('drops_total', 1, 'queue_topics');
      else topic.items.unshift(item);
    }
    const touched = new Set(state.unsent.map((item) => item.topic));
    this.leave(state);
    this.states.delete(consumer);
    for (const name of touched) this.wake(name);
  }

  /** The connection's buffer went down. */
  drained(consumer: Consumer): void {
    const state = this.states.get(consumer);
    if (state === undefined) return;
    trimUnsent(state);
    if (state.unsent.length > 0) return;
    if (state.topics.length === 0) this.states.delete(consumer);
    for (const name of state.topics) this.wake(name);
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

  private refused(reason: string, error: string): PushOutcome {
    this.meter.count('drops_total', 1, reason);
    return { ok: false, error };
  }

  /** The topic's record, made when there is room for one more; null when there is not. */
  private topic(name: string): Topic | null {
    const known = this.topics.get(name);
    if (known !== undefined) return known;
    if (this.topics.size >= this.limits.maxTopics) return null;
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
    const ready = topic.consumers.filter((state) => state.unsent.length === 0 && state.consumer.buffered() === 0);
    if (ready.length === 0 || topic.items.length === 0) return false;
    let bytes = 0;
    for (let turn = 0; topic.items.length > 0 && bytes < BATCH_BYTES * ready.length; turn++) {
      const item = topic.items.shift() as Item;
      bytes += item.event.length;
      ready[turn % ready.length].unsent.push(item);
    }
    const served = ready.filter((state) => state.unsent.length > 0);
    for (const state of served) {
      state.consumer.writeEvents(state.unsent.map((item) => item.event));
      trimUnsent(state);
      topic.consumers.push(...topic.consumers.splice(topic.consumers.indexOf(state), 1));
    }
    return topic.items.length > 0;
  }
}

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
