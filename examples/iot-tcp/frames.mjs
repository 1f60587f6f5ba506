/** The devices' protocol (see lua/entry.lua) on the device's side. */
import { createHmac } from 'node:crypto';

export const HELLO = 1;
export const READING = 2;
export const WELCOME = 129;
export const STORED = 130;
export const COMMAND = 132;
export const ERROR = 255;

export function encode(type, body = Buffer.alloc(0)) {
  const head = Buffer.from([0xa5, type, body.length >> 8, body.length & 0xff]);
  const bytes = Buffer.concat([head, body]);
  return Buffer.concat([bytes, Buffer.from([bytes.reduce((sum, byte) => sum ^ byte, 0)])]);
}

export function hello(name, secret = 'only-for-this-example') {
  const key = createHmac('sha256', secret).update(name).digest('hex');
  return encode(HELLO, Buffer.from(key + name));
}

export function reading(sequence, sensor, value) {
  const body = Buffer.alloc(10);
  body.writeUInt32BE(sequence, 0);
  body.writeUInt16BE(sensor, 4);
  body.writeFloatBE(value, 6);
  return encode(READING, body);
}

/** Collects chunks and calls `take(type, body)` for each whole frame. */
export function decoder(take) {
  let bytes = Buffer.alloc(0);
  return (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4 && bytes.length >= 5 + bytes.readUInt16BE(2)) {
      const size = 5 + bytes.readUInt16BE(2);
      take(bytes[1], bytes.subarray(4, size - 1));
      bytes = bytes.subarray(size);
    }
  };
}
