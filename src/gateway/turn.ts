/**
 * What the gateway puts off until the current event-loop turn's work is done: sends to single sockets, messages of wide
 * channels, and closes. Together they leave as one write per socket, and a script never sees `closed` in the middle of one of
 * its own calls. Publishing on a native topic from within the read of a socket costs 17 times as much per delivery as from
 * here, and a send without its neighbours five times as much (bench/PROFILE.md).
 */
import type { Message } from '../core/message.js';
import type { Clock } from '../core/ports.js';

/** A native topic: wide.ts has the only one. */
interface Topic {
  publish(message: Message): void;
}

/** A socket with sends that wait. */
interface Sender {
  flush(): void;
}

export class Turn {
  /** Counts turns, so that others can remember what they looked at in this one. */
  number = 1;
  private scheduled = false;
  private senders: Sender[] = [];
  /** Topic and message in two arrays in step, so that a publish allocates nothing. */
  private readonly topics: Topic[] = [];
  private readonly messages: Message[] = [];
  private later: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  /** Flushes a socket at the end of the turn, or at `flush`. */
  send(sender: Sender): void {
    this.senders.push(sender);
    this.schedule();
  }

  /** Puts a message off until the end of the turn, or until `flush`. */
  publish(topic: Topic, message: Message): void {
    this.topics.push(topic);
    this.messages.push(message);
    this.schedule();
  }

  /** Runs `fn` at the end of the turn, after everything that is sent. */
  atEnd(fn: () => void): void {
    this.later.push(fn);
    this.schedule();
  }

  /**
   * Hands over what waits. Whoever changes a topic's sockets, or sends past a topic, calls this first; then a channel's
   * messages that wait as single sends are always older than those that wait for a topic, and the order below is theirs.
   */
  flush(): void {
    const { senders, topics, messages } = this;
    for (let i = 0; i < senders.length; i++) senders[i].flush();
    senders.length = 0;
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
