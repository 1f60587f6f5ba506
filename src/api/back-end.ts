/** A back end as a subscriber of channels, whatever transport it came by: its id in the mesh, its channels, and their bound. */
import type { Message } from '../core/message.js';
import { MeshError } from '../errors.js';
import type { Done, Operations } from './operations.js';
import type { BackEndSubscriber, Backplane } from './roles.js';

/** Channels one connection or stream may be subscribed to. */
const MAX_SUBSCRIPTIONS = 10_000;

export class BackEnd implements BackEndSubscriber {
  readonly id: string;
  private readonly channels = new Set<string>();

  /** `take` writes a message to the transport; false when it could not. */
  constructor(
    private readonly backplane: Backplane,
    private readonly operations: Operations,
    readonly take: (message: Message) => boolean,
  ) {
    this.id = backplane.newSubscriberId();
  }

  subscribe(channels: unknown, done: Done<null>): void {
    const added = Array.isArray(channels) ? channels.length : 0;
    if (this.channels.size + added > MAX_SUBSCRIPTIONS) {
      return done(new MeshError('overloaded', `at most ${MAX_SUBSCRIPTIONS} channels on one connection`), null);
    }
    this.operations.subscribe(this, channels, (error) => {
      if (error === null) for (const channel of channels as string[]) this.channels.add(channel);
      done(error, null);
    });
  }

  unsubscribeAll(): void {
    this.channels.clear();
    this.backplane.unsubscribeAll(this);
  }
}
