/** Random frames of every kind, made from proto/peer.proto itself, so that a new kind is tested without a word here. */
import { loadSync } from '@grpc/proto-loader';
import fc from 'fast-check';
import type { Frame } from '../../src/core/frames.js';
import { KIND_OF, PROTO_FILE, type WireLane } from '../../src/wire/kinds.js';

interface Field {
  name: string;
  label: string;
  type: string;
  typeName: string;
}
interface Message {
  field: Field[];
  nestedType: Message[];
  enumType: { name: string; value: { name: string }[] }[];
}

export const definitions = loadSync(PROTO_FILE, { longs: Number, enums: String, defaults: true, arrays: true });
const typeOf = (name: string) => definitions[`lumesh.peer.${name}`].type as Message;
/** Frame kind → name of its message. */
export const MESSAGE_OF = new Map(typeOf('Frame').field.map((field) => [field.name, field.typeName]));

// No NUL at the ends and the like: any text that UTF-8 can carry.
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const channel = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .map((name) => name.replace(/[\s\p{C}]/gu, '.'))
  .filter((name) => Buffer.byteLength(name) <= 255);
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const large = fc.oneof(fc.nat(300), fc.maxSafeNat());

function ofField(field: Field, within: Message): fc.Arbitrary<unknown> {
  const one = ofType(field, within);
  return field.label === 'LABEL_REPEATED' ? fc.array(one, { maxLength: 4 }) : one;
}

function ofType(field: Field, within: Message): fc.Arbitrary<unknown> {
  if (field.name === 'channel') return channel;
  switch (field.type) {
    case 'TYPE_STRING':
      return text;
    case 'TYPE_BYTES':
      return bytes;
    case 'TYPE_BOOL':
      return fc.boolean();
    case 'TYPE_UINT32':
      return fc.nat(0xffffffff);
    case 'TYPE_UINT64':
      return large;
    case 'TYPE_ENUM': {
      const values = within.enumType.find((type) => type.name === field.typeName)!.value;
      return fc.constantFrom(...values.map((value) => value.name));
    }
    case 'TYPE_MESSAGE':
      return ofMessage(typeOf(field.typeName));
    default:
      throw new Error(`no arbitrary for ${field.type} yet`);
  }
}

function ofMessage(message: Message): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(message.field.map((field) => [field.name, ofField(field, message)])));
}

function ofKind(kind: string): fc.Arbitrary<Frame> {
  if (kind === 'relay') {
    return fc.constantFrom('control' as const, 'data' as const).chain((lane) =>
      fc.record({
        kind: fc.constant('relay' as const),
        from: text,
        to: text,
        lane: fc.constant(lane),
        frames: fc.array(ofLane(lane, 'relay'), { maxLength: 4 }),
      }),
    );
  }
  const record = ofMessage(typeOf(MESSAGE_OF.get(kind)!)).map((fields) => ({ kind, ...fields }) as unknown as Frame);
  if (kind !== 'delivered') return record;
  const triples = fc.array(fc.tuple(large, large, large), { maxLength: 5 });
  return fc.tuple(large, triples).map(([seq, counts]) => ({ kind: 'delivered', seq, counts: counts.flat() }));
}

/** Any frame of a lane. */
export function ofLane(lane: WireLane, except = ''): fc.Arbitrary<Frame> {
  const kinds = [...KIND_OF.values()].filter((kind) => kind.lane === lane && kind.name !== except);
  return fc.oneof(...kinds.map((kind) => ofKind(kind.name)));
}
