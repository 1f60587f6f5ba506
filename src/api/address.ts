/** Callers' addresses as text: in one form, whichever transport they came by, and as what they are counted by. */
import { SocketAddress } from 'node:net';

/** An address as uWebSockets.js prints it (IPv6 at full length), in the form that is usual and that gRPC's side gives. */
export function addressText(bytes: ArrayBuffer): string {
  const text = Buffer.from(bytes).toString('latin1');
  return text.includes(':') ? plainAddress(new SocketAddress({ address: text, family: 'ipv6' }).address) : text;
}

/** IPv4 also where it came mapped into IPv6, as ::ffff:1.2.3.4. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** What limits count an address by: its /64 where it is IPv6, since whoever has one of those has all of them. */
export function countedAs(address: string): string {
  if (!address.includes(':')) return address;
  const [head, tail] = address.split('::').map((part) => part.split(':'));
  const zeros = tail === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array(Math.max(0, zeros)).fill('0'), ...(tail ?? [])];
  return `${groups
    .slice(0, 4)
    .map((group) => group || '0')
    .join(':')}::/64`;
}
