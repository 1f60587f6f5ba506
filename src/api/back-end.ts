/** A back end as a subscriber of channels, whatever transport it came by: its id in the mesh, its channels, and their bound. */
import type { Message } from '../core/message.js';
import { MeshError } from '../errors.js';
import type { Done, Operations } from './operations.js';
import type { BackEndSubscriber, Backplane } from './roles.js';

/** Channels one connection or stream may be subscribed to. */
const MAX_SUBSCRIPTIONS = 10_000;

export class BackEnd implements BackEndSubscriber {
  readonly id: string;
  private readonly channels = new Set<unknown>();

  /** `take` writes a message to the transport; false when it could not. */
  constructor(
    private readonly backplane: Backplane,
    private readonly operations: Operations,
    readonly take: (message: Message) => boolean,
  ) {
    this.id = backplane.newSubscriberId();
  }

  subscribe(channels: unknown, done: Done<null>): void {
    const named = new Set<unknown>(Array.isArray(channels) ? channels : []);
    const added = [...named].filter((channel) => !this.channels.has(channel));
    if (this.channels.size + added.length > MAX_SUBSCRIPTIONS) {
      return done(new MeshError('overloaded', `at most ${MAX_SUBSCRIPTIONS} channels on one connection`), null);
    }
    // Before the mesh has acknowledged them: many calls may wait for that at once.
    for (const channel of added) this.channels.add(channel);
    this.operations.subscribe(this, channels, (error) => {
      if (error?.kind === 'invalid_argument') for (const channel of added) this.channels.delete(channel);
      done(error, null);
    });
  }

  unsubscribeAll(): void {
    this.channels.clear();
    this.backplane.unsubscribeAll(this);
  }
}
