/** A back end as a subscriber of channels, whatever transport it came by: its id in the mesh, its channels, and their bound. */
import type { Message } from '../core/message.js';
import { MeshError } from '../errors.js';
import type { Done, Operations } from './operations.js';
import type { BackEndSubscriber, Backplane } from './roles.js';

/** Channels one connection or stream may be subscribed to. */
const MAX_SUBSCRIPTIONS = 10_000;

export class BackEnd implements BackEndSubscriber {
  readonly id: string;
  /** Its channels, and how many of its calls hold each: those that succeeded and those that wait. */
  private holds = new Map<string, number>();

  /** `take` writes a message to the transport; false when it could not. */
  constructor(
    private readonly backplane: Backplane,
    private readonly operations: Operations,
    readonly take: (message: Message) => boolean,
  ) {
    this.id = backplane.newSubscriberId();
  }

  /** All of them or none: a call that fails leaves a channel subscribed only where another call holds it. */
  subscribe(channels: unknown, done: Done<null>): void {
    const { holds } = this;
    const named = new Set<string>(Array.isArray(channels) ? channels : []);
    const added = [...named].filter((channel) => !holds.has(channel));
    if (holds.size + added.length > MAX_SUBSCRIPTIONS) {
      return done(new MeshError('overloaded', `at most ${MAX_SUBSCRIPTIONS} channels on one connection`), null);
    }
    // Before the mesh has acknowledged them: many calls may wait for that at once.
    for (const channel of named) holds.set(channel, (holds.get(channel) ?? 0) + 1);
    this.operations.subscribe(this, channels, (error) => {
      // After unsubscribeAll there is nothing of this call left.
      if (error !== null && holds === this.holds) for (const channel of named) this.release(channel);
      done(error, null);
    });
  }

  private release(channel: string): void {
    const others = this.holds.get(channel)! - 1;
    if (others > 0) {
      this.holds.set(channel, others);
      return;
    }
    this.holds.delete(channel);
    this.backplane.unsubscribe(this, channel);
  }

  unsubscribeAll(): void {
    this.holds = new Map();
    this.backplane.unsubscribeAll(this);
  }
}
