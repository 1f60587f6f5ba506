/**
 * The gateway's side of the core's Sockets port: hands a message to the local subscribers of a channel and says how many got
 * it. A narrow channel (a user with three devices) is sent to one by one; a wide one goes through native topics (wide.ts).
 */
import type { Message } from '../core/message.js';
import type { Audience, Delivered, Meter, Sockets, Subscriber } from '../core/ports.js';
import type { TakesMessages } from './roles.js';
import type { Turn } from './turn.js';
import { WideChannel } from './wide.js';

/**
 * A channel becomes wide at this many subscribers, and narrow again below the other number, so that one client that comes
 * and goes does not move it to and fro. Source: bench/PROFILE.md "Narrow or wide".
 */
const WIDE_FROM = 8;
const NARROW_BELOW = 4;

export class Delivery implements Sockets {
  constructor(
    private readonly turn: Turn,
    private readonly meter: Meter,
  ) {}

  deliver(audience: Audience, message: Message): Delivered {
    const wide = audience.notes as WideChannel | null;
    const counts = wide === null ? deliverEach(audience, message) : wide.deliver(message);
    if (counts.success > 0) this.meter.count('deliveries_total', counts.success);
    return counts;
  }

  joined(audience: Audience, subscriber: Subscriber): void {
    const wide = audience.notes as WideChannel | null;
    if (wide !== null) wide.add(subscriber);
    else if (audience.subscribers.size >= WIDE_FROM) audience.notes = new WideChannel(audience, this.turn);
  }

  left(audience: Audience, subscriber: Subscriber): void {
    const wide = audience.notes as WideChannel | null;
    if (wide === null) return;
    wide.remove(subscriber);
    if (audience.subscribers.size >= NARROW_BELOW) return;
    wide.dissolve();
    audience.notes = null;
  }
}

function deliverEach(audience: Audience, message: Message): Delivered {
  const all = audience.subscribers.size;
  let success = 0;
  // Every subscriber of an audience takes messages: node.ts puts no other in.
  for (const subscriber of audience.subscribers) if ((subscriber as TakesMessages).take(message)) success++;
  return { success, fail: all - success };
}
