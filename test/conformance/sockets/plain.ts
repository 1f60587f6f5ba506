/** The simplest Sockets there can be: subscribers that remember. For tests of whatever sits above the port. */
import type { Message } from '../../../src/core/message.js';
import type { Audience, Delivered, Sockets } from '../../../src/core/ports.js';
import type { TakesMessages } from '../../../src/gateway/roles.js';

export class PlainSubscriber implements TakesMessages {
  readonly messages: Message[] = [];
  constructor(readonly id: string) {}
  take(message: Message): boolean {
    this.messages.push(message);
    return true;
  }
}

export class PlainSockets implements Sockets {
  deliver(audience: Audience, message: Message): Delivered {
    let success = 0;
    for (const subscriber of audience.subscribers) if ((subscriber as TakesMessages).take(message)) success++;
    return { success, fail: audience.subscribers.size - success };
  }
  joined(): void {}
  left(): void {}
}
