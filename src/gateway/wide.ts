/**
 * A wide channel: its sockets share a native topic of uWebSockets.js, which costs about a tenth of sending one by one.
 *
 * A native topic does not tell who did not get a message, and counts must be true. So before the first message of a turn the
 * channel looks at what waits for each of its sockets (9 ns each): one with more than half its bound waiting leaves the topic
 * and is sent to one by one, counted, until it has caught up. And topics may bring a socket at most the other half of its
 * bound within one turn; beyond that everybody is sent to one by one. So a message on a topic is never lost.
 */
import type { TemplatedApp } from 'uWebSockets.js';
import type { Message } from '../core/message.js';
import type { Audience, Delivered, Subscriber } from '../core/ports.js';
import type { Shared } from './limits.js';
import type { TakesMessages, WebSocketScript } from './roles.js';
import type { Turn } from './turn.js';
import { WebSocketConnection } from './websocket-connection.js';

/** A socket leaves its topics with more than this part of its bound waiting, and is back below the other. */
const LEAVE_AT = 0.5;
const BACK_AT = 0.25;
/** Bytes of a frame beside its payload, at most. */
const FRAME_HEAD = 10;

/** The sockets of one channel on one uWebSockets.js app. */
class Topic {
  private readonly members = new Set<WebSocketConnection>();
  private readonly slow = new Set<WebSocketConnection>();
  /** Turn in which the members were last looked at. */
  private seen = 0;

  constructor(
    private readonly name: string,
    private readonly app: TemplatedApp,
    private readonly shared: Shared<WebSocketScript>,
  ) {}

  add(connection: WebSocketConnection): void {
    this.members.add(connection);
    connection.subscribe(this.name);
  }

  /** False when no socket is left. */
  remove(connection: WebSocketConnection): boolean {
    if (this.members.delete(connection)) connection.unsubscribe(this.name);
    else this.slow.delete(connection);
    return this.members.size + this.slow.size > 0;
  }

  dissolve(): void {
    for (const connection of this.members) connection.unsubscribe(this.name);
  }

  /** Returns how many sockets get the message. */
  deliver(message: Message, turn: Turn): number {
    if (this.seen !== turn.number) this.look(turn.number);
    let success = this.deliverWide(message, turn);
    for (const connection of this.slow) if (connection.take(message)) success++;
    return success;
  }

  private deliverWide(message: Message, turn: Turn): number {
    if (this.members.size === 0) return 0;
    const { shared } = this;
    const bytes = shared.wideBytes(turn.number) + message.data.length + FRAME_HEAD;
    if (bytes <= shared.bound * (1 - LEAVE_AT)) {
      shared.addWideBytes(message.data.length + FRAME_HEAD);
      turn.publish(this, message);
      return this.members.size;
    }
    turn.flush();
    let success = 0;
    for (const connection of this.members) if (connection.take(message)) success++;
    return success;
  }

  /** Hands the message to the native topic. Called by the turn. */
  publish(message: Message): void {
    this.app.publish(this.name, message.data, message.binary);
  }

  /** Sorts the sockets into those that follow and those that lag behind. Nothing of this channel waits in the turn now. */
  private look(turnNumber: number): void {
    this.seen = turnNumber;
    const { bound } = this.shared;
    for (const connection of this.slow) {
      if (connection.waiting > bound * BACK_AT) continue;
      this.slow.delete(connection);
      this.add(connection);
    }
    for (const connection of this.members) {
      if (connection.waiting <= bound * LEAVE_AT) continue;
      this.members.delete(connection);
      connection.unsubscribe(this.name);
      this.slow.add(connection);
    }
  }
}

/** What the gateway notes on a wide channel's audience. */
export class WideChannel {
  /** One per app: usually one. */
  private readonly topics = new Map<TemplatedApp, Topic>();
  /** Subscribers that are no WebSocket clients. */
  private readonly others = new Set<TakesMessages>();

  constructor(
    private readonly audience: Audience,
    private readonly turn: Turn,
  ) {
    for (const subscriber of audience.subscribers) this.join(subscriber);
  }

  add(subscriber: Subscriber): void {
    // A newcomer must not get what was published before it came.
    this.turn.flush();
    this.join(subscriber);
  }

  private join(subscriber: Subscriber): void {
    if (!(subscriber instanceof WebSocketConnection)) {
      this.others.add(subscriber as TakesMessages);
      return;
    }
    const { app, shared } = subscriber;
    let topic = this.topics.get(app);
    if (!topic) {
      topic = new Topic(this.audience.channel, app, shared);
      this.topics.set(app, topic);
    }
    topic.add(subscriber);
  }

  remove(subscriber: Subscriber): void {
    // Who leaves still gets what was published, and counted, before.
    this.turn.flush();
    if (!(subscriber instanceof WebSocketConnection)) this.others.delete(subscriber as TakesMessages);
    else if (this.topics.get(subscriber.app)?.remove(subscriber) === false) this.topics.delete(subscriber.app);
  }

  /** The channel is narrow from here on. */
  dissolve(): void {
    this.turn.flush();
    for (const topic of this.topics.values()) topic.dissolve();
  }

  deliver(message: Message): Delivered {
    const all = this.audience.subscribers.size;
    let success = 0;
    for (const topic of this.topics.values()) success += topic.deliver(message, this.turn);
    for (const other of this.others) if (other.take(message)) success++;
    return { success, fail: all - success };
  }
}
