/**
 * The bytes that a TCP client has sent and that no packet has taken yet, and what `protocol_input` sees of them as `buf`. Bounded by
 * `maxPayloadBytes`: a packet that is larger, or a beginning of that size without a packet in it, closes the client.
 */

export type Taken =
  | { readonly is: 'packet'; readonly packet: Buffer }
  /** Wait for more bytes. */
  | { readonly is: 'more' }
  | { readonly is: 'close'; readonly why: string };

export const TOO_LARGE = 'packet too large';

const EMPTY = Buffer.alloc(0);

export class Framing {
  /** Where `buf:read` goes on. */
  position = 0;
  /** Bytes of the packet that protocol_input announced; it is not asked again before they are there. */
  private needed = 0;
  private bytes: Buffer = EMPTY;

  constructor(private readonly maxPacketBytes: number) {}

  get length(): number {
    return this.bytes.length;
  }

  /** Appends a copy of what was received. */
  append(chunk: Uint8Array): void {
    this.bytes = this.bytes.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.bytes, chunk]);
  }

  /** Whether protocol_input has something to look at; if so, from the first byte. */
  begin(): boolean {
    this.position = 0;
    return this.bytes.length > 0 && this.bytes.length >= this.needed;
  }

  /** Lent. */
  all(): Buffer {
    return this.bytes;
  }

  /** The next `count` bytes, lent; null when fewer are there. */
  read(count: number): Buffer | null {
    if (count < 0 || this.position + count > this.bytes.length) return null;
    this.position += count;
    return this.bytes.subarray(this.position - count, this.position);
  }

  /** What protocol_input returned: the size of the first packet. */
  take(size: number): Taken {
    this.needed = 0;
    if (size < 0) return { is: 'close', why: 'refused by protocol_input' };
    if (size > this.maxPacketBytes || (size === 0 && this.bytes.length >= this.maxPacketBytes)) {
      return { is: 'close', why: TOO_LARGE };
    }
    if (size === 0) return { is: 'more' };
    if (size > this.bytes.length) {
      this.needed = size;
      return { is: 'more' };
    }
    const packet = this.bytes.subarray(0, size);
    this.bytes = size === this.bytes.length ? EMPTY : this.bytes.subarray(size);
    return { is: 'packet', packet };
  }

  clear(): void {
    this.bytes = EMPTY;
    this.position = 0;
    this.needed = 0;
  }
}
