/**
 * What the gateway puts off until the current event-loop turn's work is done: messages of wide channels, closes, and the
 * counting of received messages. Publishing on a native topic from within the read of a socket costs 17 times as much per
 * delivery as from here (bench/PROFILE.md), and closing from here means that a script never sees `closed` in the middle of
 * one of its own calls.
 */
import type { Message } from '../core/message.js';
import type { Clock } from '../core/ports.js';

/** A native topic: wide.ts has the only one. */
interface Topic {
  publish(message: Message): void;
}

export class Turn {
  /** Counts turns, so that others can remember what they looked at in this one. */
  number = 1;
  private scheduled = false;
  /** Topic and message by turns; two arrays in step, so that a publish allocates nothing. */
  private topics: Topic[] = [];
  private messages: Message[] = [];
  private later: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  /** Puts a message off until the end of the turn, or until `flush`. */
  publish(topic: Topic, message: Message): void {
    this.topics.push(topic);
    this.messages.push(message);
    this.schedule();
  }

  /** Runs `fn` at the end of the turn, after the messages. */
  atEnd(fn: () => void): void {
    this.later.push(fn);
    this.schedule();
  }

  /** Hands over what waits. Whoever changes a topic's sockets, or sends past a topic, calls this first: it keeps the order. */
  flush(): void {
    const { topics, messages } = this;
    if (topics.length === 0) return;
    for (let i = 0; i < topics.length; i++) topics[i].publish(messages[i]);
    topics.length = 0;
    messages.length = 0;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.clock.endOfTurn(this.run);
  }

  private readonly run = (): void => {
    this.scheduled = false;
    this.flush();
    this.number++;
    const { later } = this;
    if (later.length === 0) return;
    this.later = [];
    for (const fn of later) fn();
  };
}
