/** The patterns that anybody in the mesh subscribes to, by what they begin with: a name is compared with few of them. */
import type { Channel } from './channels.js';

export class Patterns {
  size = 0;
  /** Records by the length of their pattern's prefix, then by the prefix. */
  private readonly byLength = new Map<number, Map<string, Set<Channel>>>();
  /** The last answer: a publish asks when it is routed and when it is delivered, and the next one is often of the same channel. */
  private lastName: string | null = null;
  private lastFound: readonly Channel[] = [];

  add(channel: Channel): void {
    const { prefix } = channel.pattern!;
    let byPrefix = this.byLength.get(prefix.length);
    if (byPrefix === undefined) {
      byPrefix = new Map();
      this.byLength.set(prefix.length, byPrefix);
    }
    const alike = byPrefix.get(prefix);
    if (alike) alike.add(channel);
    else byPrefix.set(prefix, new Set([channel]));
    this.size++;
    this.lastName = null;
  }

  delete(channel: Channel): void {
    const { prefix } = channel.pattern!;
    const byPrefix = this.byLength.get(prefix.length)!;
    const alike = byPrefix.get(prefix)!;
    alike.delete(channel);
    this.size--;
    this.lastName = null;
    if (alike.size > 0) return;
    byPrefix.delete(prefix);
    if (byPrefix.size === 0) this.byLength.delete(prefix.length);
  }

  matching(name: string): readonly Channel[] {
    if (name !== this.lastName) {
      this.lastFound = this.find(name);
      this.lastName = name;
    }
    return this.lastFound;
  }

  private find(name: string): Channel[] {
    const found: Channel[] = [];
    for (const [length, byPrefix] of this.byLength) {
      const alike = length <= name.length ? byPrefix.get(name.slice(0, length)) : undefined;
      if (alike === undefined) continue;
      for (const channel of alike) if (channel.pattern!.matches(name)) found.push(channel);
    }
    return found;
  }
}
