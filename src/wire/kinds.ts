/**
 * The kinds of frames, read from proto/peer.proto: which number each has on the wire, on which lane it travels, and a codec
 * for it by reflection. A new frame is a new message in the proto file and nothing here. The few kinds that are as many as
 * the messages that a mesh carries are written by hand, in busy.ts.
 */
import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import type { Frame, Relay } from '../core/frames.js';
import { MalformedBatch } from './bytes.js';

/** What the links say to each other before a link is open, and last. The core never sees these. */
export type LinkFrame =
  | {
      readonly kind: 'greeting';
      readonly version: number;
      readonly cluster: string;
      readonly nodeId: string;
      readonly nonce: Uint8Array;
    }
  | {
      readonly kind: 'challenge';
      readonly cluster: string;
      readonly nodeId: string;
      readonly nonce: Uint8Array;
      readonly link: number;
    }
  | { readonly kind: 'proof'; readonly proof: Uint8Array }
  | { readonly kind: 'welcome'; readonly proof: Uint8Array }
  | { readonly kind: 'join'; readonly link: number; readonly proof: Uint8Array }
  | { readonly kind: 'closing'; readonly reason: string };

export type WireFrame = Frame | LinkFrame;
export type WireLane = 'data' | 'control' | 'link';

export interface Kind {
  readonly name: WireFrame['kind'];
  readonly number: number;
  readonly lane: WireLane;
  /** The frame's message, without the frame around it. */
  encode(frame: WireFrame): Buffer;
  /** Throws MalformedBatch when a part is missing, cut off or of no known value. */
  decode(bytes: Buffer): WireFrame;
}

/** A field of a message, as proto-loader describes it. */
interface Field {
  readonly name: string;
  readonly number: number;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}
interface Message {
  readonly name: string;
  readonly field: readonly Field[];
  readonly nestedType: readonly Message[];
}
type Value = Record<string, unknown>;

const PACKAGE = 'lumesh.peer';
export const PROTO_FILE = fileURLToPath(new URL('../../proto/peer.proto', import.meta.url));
const definitions = loadSync(PROTO_FILE, { longs: Number, enums: String, defaults: true, arrays: true });

const CHECKS = new Map<string, (value: Value) => void>();

/** Number of a frame's field → its kind, and name → kind. */
export const KINDS: readonly (Kind | undefined)[] = [];
export const KIND_OF: ReadonlyMap<string, Kind> = new Map();
for (const field of messageType('Frame').field) {
  const kind = kindOf(field);
  (KINDS as (Kind | undefined)[])[kind.number] = kind;
  (KIND_OF as Map<string, Kind>).set(kind.name, kind);
}

/** Where a frame's number belongs; stated in peer.proto. */
export function laneOfNumber(number: number): WireLane {
  if (number < 16) return 'data';
  return number < 48 ? 'control' : 'link';
}

function kindOf(field: Field): Kind {
  const name = field.name as Kind['name'];
  const codec = definitions[`${PACKAGE}.${field.typeName}`] as MessageTypeDefinition<object, object>;
  const check = checkOf(messageType(field.typeName), name);
  CHECKS.set(name, check);
  return {
    name,
    number: field.number,
    lane: laneOfNumber(field.number),
    encode: (frame) => codec.serialize(frame.kind === 'relay' ? wrapRelay(frame) : frame),
    decode: (bytes) => {
      let value: Value;
      try {
        value = codec.deserialize(bytes) as Value;
      } catch (error) {
        throw new MalformedBatch(`${name}: ${(error as Error).message}`);
      }
      check(value);
      value.kind = name;
      if (name === 'relay') unwrapRelay(value);
      return value as unknown as WireFrame;
    },
  };
}

/** A relayed frame is a `Frame` on the wire: an object whose one field is named after its kind. */
function wrapRelay(relay: Relay): object {
  return { ...relay, frames: relay.frames.map((frame) => ({ [frame.kind]: frame })) };
}

function unwrapRelay(relay: Value): void {
  relay.frames = (relay.frames as Value[]).map((wrapped) => {
    const name = Object.keys(wrapped)[0];
    const kind = KIND_OF.get(name);
    if (kind === undefined) throw new MalformedBatch('relay: a frame of an unknown kind');
    if (kind.lane !== relay.lane || name === 'relay') throw new MalformedBatch(`relay: a ${name} frame in it`);
    const frame = wrapped[name] as Value;
    CHECKS.get(name)?.(frame);
    frame.kind = name;
    return frame;
  });
}

function messageType(name: string): Message {
  return definitions[`${PACKAGE}.${name}`].type as Message;
}

/** Protobuf lets a sender leave out messages and send unknown enum values; a frame with either would not be of its type. */
function checkOf(message: Message, path: string): (value: Value) => void {
  const checks = message.field.flatMap((field) => {
    const where = `${path}.${field.name}`;
    const check = checkOfField(field, message, where);
    if (check === null) return [];
    if (field.label !== 'LABEL_REPEATED') return [(value: Value) => check(value[field.name])];
    return [(value: Value) => (value[field.name] as unknown[]).forEach(check)];
  });
  return (value) => {
    for (const check of checks) check(value);
  };
}

function checkOfField(field: Field, within: Message, where: string): ((value: unknown) => void) | null {
  if (field.type === 'TYPE_ENUM') {
    return (value) => {
      if (typeof value !== 'string') throw new MalformedBatch(`${where} has the unknown value ${value}`);
    };
  }
  // A relayed Frame is checked by its own kind, when its kind is known.
  if (field.type !== 'TYPE_MESSAGE' || field.typeName === 'Frame') return null;
  const nested = within.nestedType.find((type) => type.name === field.typeName) ?? messageType(field.typeName);
  const check = checkOf(nested, where);
  return (value) => {
    if (value === null || value === undefined) throw new MalformedBatch(`${where} is missing`);
    check(value as Value);
  };
}
