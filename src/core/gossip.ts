/**
 * News about members that waits to be passed on: the newest record per name, each sent a logarithmic number of times, the
 * least often sent first, and never more bytes in a frame than fit (SWIM section 4.1). Bounded: one entry per name.
 */
import { utf8Length } from './channel.js';
import type { MemberRecord } from './frames.js';

interface News {
  readonly record: MemberRecord;
  readonly bytes: number;
  /** Times it was sent so far. */
  sent: number;
}

/** Bytes of a record's numbers, tags and lengths on the wire, at most. */
const RECORD_OVERHEAD = 48;

export class GossipQueue {
  /** In the order in which they came; `take` keeps those sent least often in front. */
  private news = new Map<string, News>();

  get size(): number {
    return this.news.size;
  }

  /** Newer news of a name replaces the older. */
  add(record: MemberRecord): void {
    this.news.delete(record.nodeId);
    this.news.set(record.nodeId, { record, bytes: recordBytes(record), sent: 0 });
  }

  /**
   * What to send along with a frame now: at most `maxBytes` (but at least one entry), preferring what was sent least often and is newest. Each entry
   * taken counts as sent once, and is forgotten after `limit` times.
   */
  take(maxBytes: number, limit: number): MemberRecord[] {
    if (this.news.size === 0) return [];
    const order = [...this.news.values()].reverse().sort((a, b) => a.sent - b.sent);
    const taken: MemberRecord[] = [];
    let room = maxBytes;
    for (const entry of order) {
      if (entry.bytes > room && taken.length > 0) continue;
      room -= entry.bytes;
      taken.push(entry.record);
      entry.sent += 1;
      if (entry.sent >= limit) this.news.delete(entry.record.nodeId);
    }
    return taken;
  }
}

/** How often each piece of news is sent in a mesh of so many members. */
export function retransmits(multiplier: number, members: number): number {
  return Math.ceil(multiplier * Math.log10(members + 1));
}

function recordBytes(record: MemberRecord): number {
  const { nodeId, address, api, version, accuser } = record;
  return RECORD_OVERHEAD + utf8Length(nodeId) + utf8Length(address) + utf8Length(api) + version.length + accuser.length;
}
