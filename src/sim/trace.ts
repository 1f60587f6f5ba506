/**
 * What happened in a run: always as a hash, so that two runs of one seed can be compared, and as lines of text when the run
 * is repeated to be read. Lines carry the channel that they are about, so that a transcript can leave the others out.
 */
import type { Frame } from '../core/frames.js';

export interface Line {
  readonly at: number;
  readonly who: string;
  readonly text: string;
  /** Null: about the whole mesh, always shown. */
  readonly channel: string | null;
}

/** Lines kept of one run; older ones go first. */
const MAX_LINES = 200_000;

export class Trace {
  readonly lines: Line[] = [];
  private a = 0x811c9dc5;
  private b = 0x01000193;

  constructor(readonly recording: boolean) {}

  /** Takes a whole number into the hash. */
  mix(value: number): void {
    this.a = Math.imul(this.a ^ value, 0x01000193);
    this.b = Math.imul(this.b ^ this.a ^ (value >>> 16), 0x85ebca6b);
    this.b ^= this.b >>> 13;
  }

  mixText(text: string): void {
    for (let i = 0; i < text.length; i++) this.mix(text.charCodeAt(i));
  }

  /** 16 hexadecimal digits of everything so far. */
  get hash(): string {
    return [this.a, this.b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  note(at: number, who: string, text: string, channel: string | null = null): void {
    if (!this.recording) return;
    this.lines.push({ at, who, text, channel });
    if (this.lines.length > MAX_LINES) this.lines.splice(0, MAX_LINES / 2);
  }

  /** A frame arrived. Probes, gossip and canaries are left out: they would be most of the lines. */
  frame(at: number, to: string, from: string, frame: Frame): void {
    if (QUIET.has(frame.kind)) return;
    const channel = 'channel' in frame ? frame.channel : null;
    this.note(at, to, `← ${from} ${describe(frame)}`, channel);
  }
}

const QUIET: ReadonlySet<string> = new Set([
  'ping',
  'pingAck',
  'pingNack',
  'pingRequest',
  'canary',
  'canaryEcho',
  'state',
]);

/** One line; long lists and payloads as their size. */
function describe(frame: Frame): string {
  const { kind, ...fields } = frame;
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${describeValue(name, value)}`);
  return `${kind} ${shown.join(' ')}`;
}

function describeValue(name: string, value: unknown): string {
  if (name === 'data')
    return `#${new DataView((value as Uint8Array).buffer, (value as Uint8Array).byteOffset).getUint32(0)}`;
  if (name === 'digest') return String(value).slice(0, 6);
  if (name === 'members' || name === 'updates') {
    const records = value as readonly {
      nodeId: string;
      gen: number;
      state: string;
      role: string;
      incarnation: number;
    }[];
    return `[${records.map((one) => `${one.nodeId}.${one.gen}.${one.incarnation}${one.state === 'alive' ? '' : ` ${one.state}`}${one.role === 'full' ? '' : ' leaving'}`).join(', ')}]`;
  }
  if (name === 'self') return (value as { nodeId: string }).nodeId;
  return JSON.stringify(value);
}
