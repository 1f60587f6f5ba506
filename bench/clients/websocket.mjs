/**
 * WebSocket clients that cost next to nothing, so that a benchmark measures the server: a raw socket, frames written and read
 * by hand, one read buffer for all of them. Servers send unmasked frames; what clients send is masked with zeros, which the
 * protocol allows and which leaves the payload as it is.
 */
import { connect } from 'node:net';

const READ_BUFFER = Buffer.allocUnsafe(1 << 18);
const EMPTY = Buffer.alloc(0);

export const TEXT = 1;
export const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class RawClient {
  /** Set by the user: called for each message with the client, the buffer (lent) and where the payload begins and ends. */
  onMessage = null;
  /** Set where a protocol lies between frames and messages: called for each text or binary frame, calls onMessage. */
  onFrame = null;
  onClose = (_client, _code) => {};
  /** For the user's own notes. */
  note = 0;
  #socket;
  #rest = EMPTY;
  #upgraded = null;
  /** Frames that came before anybody listened. */
  #early = [];

  /** Opens a connection; `prepare` is called with the client before the first byte is read. */
  static open({ port, host = '127.0.0.1', path = '/', headers = {} }, prepare = () => {}) {
    return new Promise((resolve, reject) => {
      const client = new RawClient();
      prepare(client);
      client.#upgraded = () => resolve(client);
      client.#socket = connect({
        port,
        host,
        noDelay: true,
        onread: {
          buffer: READ_BUFFER,
          callback: (size, buffer) => {
            client.#read(buffer, size);
            return true;
          },
        },
      });
      client.#socket.once('error', reject);
      client.#socket.once('close', () => {
        reject(new Error(`connection to port ${port} closed during the upgrade`));
        client.onClose(client, client.closeCode ?? 1006);
      });
      const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      client.#socket.write(
        `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extra.join('')}\r\n`,
      );
    });
  }

  #read(buffer, size) {
    let bytes = buffer;
    let end = size;
    let at = 0;
    if (this.#rest.length > 0) {
      bytes = Buffer.concat([this.#rest, buffer.subarray(0, size)]);
      end = bytes.length;
      this.#rest = EMPTY;
    }
    if (this.#upgraded) {
      const head = bytes.subarray(0, end).indexOf('\r\n\r\n');
      if (head < 0) {
        this.#rest = Buffer.from(bytes.subarray(0, end));
        return;
      }
      const status = bytes.toString('latin1', 0, 12);
      if (!status.endsWith('101')) throw new Error(`upgrade refused: ${bytes.toString('latin1', 0, end)}`);
      at = head + 4;
      this.#upgraded();
      this.#upgraded = null;
    }
    while (end - at >= 2) {
      const opcode = bytes[at] & 0x0f;
      let length = bytes[at + 1];
      let start = at + 2;
      if (length === 126) {
        if (end - at < 4) break;
        length = (bytes[at + 2] << 8) | bytes[at + 3];
        start = at + 4;
      } else if (length === 127) {
        if (end - at < 10) break;
        length = bytes.readUInt32BE(at + 6);
        start = at + 10;
      }
      if (end - start < length) break;
      at = start + length;
      if (opcode <= BINARY) this.#frame(bytes, start, at);
      else this.#control(opcode, bytes.subarray(start, at));
    }
    if (at < end) this.#rest = Buffer.from(bytes.subarray(at, end));
  }

  #frame(bytes, start, end) {
    const receive = this.onFrame ?? this.onMessage;
    if (receive === null) this.#early.push(Buffer.from(bytes.subarray(start, end)));
    else receive(this, bytes, start, end);
  }

  /** Sets onMessage, and hands over what came before. */
  listen(onMessage) {
    this.onMessage = onMessage;
    for (const bytes of this.#early.splice(0)) this.#frame(bytes, 0, bytes.length);
  }

  #control(opcode, payload) {
    if (opcode === PING) this.#socket.write(frame(payload, PONG));
    if (opcode === CLOSE) {
      this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.#socket.end(frame(payload, CLOSE));
    }
  }

  /** Sends a ready-made frame (or several, joined). */
  write(frames) {
    this.#socket.write(frames);
  }

  send(text) {
    this.#socket.write(frame(Buffer.from(text), TEXT));
  }

  pause() {
    this.#socket.pause();
  }

  close() {
    this.#socket.destroy();
  }
}

/** A whole client frame around `payload`. */
export function frame(payload, opcode = TEXT) {
  const bytes = headed(payload.length, opcode);
  payload.copy(bytes, bytes.length - payload.length);
  return bytes;
}

/** A text frame around ASCII text. */
export function textFrame(text) {
  const bytes = headed(text.length, TEXT);
  bytes.latin1Write(text, bytes.length - text.length);
  return bytes;
}

/** A client frame whose payload is still to be written, at its end. */
function headed(length, opcode) {
  const head = length < 126 ? 6 : length < 65536 ? 8 : 14;
  const bytes = Buffer.allocUnsafe(head + length);
  bytes.fill(0, 0, head);
  bytes[0] = 0x80 | opcode;
  if (length < 126) bytes[1] = 0x80 | length;
  else if (length < 65536) {
    bytes[1] = 0x80 | 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 0x80 | 127;
    bytes.writeUInt32BE(length, 6);
  }
  return bytes;
}

/** Socket.IO's answer to its ping. */
export const PONG_TEXT = frame(Buffer.from('3'));
