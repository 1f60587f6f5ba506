/** A back end as a subscriber, whatever transport it came by: what it has subscribed to, all or nothing of a call, and the bound. */
import type { Message, SubscribeOutcome } from '../core/message.js';
import type { Subscribable } from '../core/subscribable.js';
import { MeshError } from '../errors.js';
import { invalid, listProblem } from './operations.js';
import type { BackEndSubscriber, Backplane } from './roles.js';

/** Channels and patterns one connection or stream may be subscribed to. */
const MAX_SUBSCRIPTIONS = 10_000;

/** Writes a message to the transport; false when it could not. `pattern`: by which it came, null when by its channel. */
export type Take = (message: Message, pattern: string | null) => boolean;

/** A subscription, and how many calls want it: those that succeeded and those that wait. */
interface Hold {
  readonly what: Subscribable;
  readonly text: string;
  /** What the mesh calls it. */
  readonly name: string;
  readonly subscriber: BackEndSubscriber;
  calls: number;
}

export class BackEnd {
  private readonly holds = new Map<string, Hold>();
  /** The subscriber of all its channels. Each pattern has one of its own, which knows by which pattern a message came. */
  private readonly ofChannels: BackEndSubscriber;

  constructor(
    private readonly backplane: Backplane,
    private readonly take: Take,
  ) {
    this.ofChannels = this.subscriber(null);
  }

  private subscriber(pattern: string | null): BackEndSubscriber {
    return { id: this.backplane.newSubscriberId(), take: (message) => this.take(message, pattern) };
  }

  /** All of them or none: a call that fails leaves only what another call wants, too. `done` once the whole mesh knows of all. */
  subscribe(what: Subscribable, texts: unknown, done: (error: MeshError | null) => void): void {
    const problem = listProblem(what, texts);
    if (problem !== null) return done(invalid(problem));
    const named = [...new Set(texts as string[])];
    const added = named.filter((text) => !this.holds.has(what.name(text)));
    if (this.holds.size + added.length > MAX_SUBSCRIPTIONS) {
      return done(new MeshError('overloaded', `at most ${MAX_SUBSCRIPTIONS} channels and patterns on one connection`));
    }
    // Before the mesh has acknowledged them: many calls may wait for that at once.
    const holds = named.map((text) => this.hold(what, text));
    this.ask(holds, (failed) => {
      if (failed === null) return done(null);
      for (const hold of holds) this.release(hold);
      done(failed);
    });
  }

  private hold(what: Subscribable, text: string): Hold {
    const name = what.name(text);
    let hold = this.holds.get(name);
    if (hold === undefined) {
      const subscriber = what.kind === 'channel' ? this.ofChannels : this.subscriber(text);
      hold = { what, text, name, subscriber, calls: 0 };
      this.holds.set(name, hold);
    }
    hold.calls++;
    return hold;
  }

  /** `done` when the mesh knows of all of them, or at the first failure. */
  private ask(holds: readonly Hold[], done: (failed: MeshError | null) => void): void {
    let waiting = holds.length;
    let failed = false;
    for (const { text, name, subscriber } of holds) {
      if (failed) return;
      this.backplane.subscribe(subscriber, name, (outcome) => {
        waiting--;
        if (failed) return;
        failed = !outcome.ok;
        if (!outcome.ok) done(notSubscribed(text, outcome.reason));
        else if (waiting === 0) done(null);
      });
    }
  }

  private release(hold: Hold): void {
    hold.calls--;
    // It may have ended meanwhile, and another one of that name may have begun.
    if (hold.calls === 0 && this.holds.get(hold.name) === hold) this.end(hold);
  }

  /** From those, whatever calls named them, or from all of their kind where `texts` is left out. Returns what is wrong with them. */
  unsubscribe(what: Subscribable, texts: unknown): MeshError | null {
    if (texts === undefined || texts === null) {
      for (const hold of this.holds.values()) if (hold.what.kind === what.kind) this.end(hold);
      return null;
    }
    const problem = listProblem(what, texts);
    if (problem !== null) return invalid(problem);
    for (const text of texts as string[]) {
      const hold = this.holds.get(what.name(text));
      if (hold !== undefined) this.end(hold);
    }
    return null;
  }

  unsubscribeAll(): void {
    for (const hold of this.holds.values()) this.end(hold);
  }

  private end({ name, subscriber }: Hold): void {
    this.holds.delete(name);
    this.backplane.unsubscribe(subscriber, name);
  }
}

function notSubscribed(text: string, reason: Extract<SubscribeOutcome, { ok: false }>['reason']): MeshError {
  const kind = reason === 'limit' || reason === 'node_limit' ? 'overloaded' : 'not_ready';
  return new MeshError(kind, `cannot subscribe to ${JSON.stringify(text)}: ${reason}`, 1);
}
