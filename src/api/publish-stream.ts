/** One PublishStream: reads requests as long as their answers find a way out, answers each once, in order. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { PublishResult } from '../core/message.js';
import type { MeshError } from '../errors.js';
import { Fifo } from './fifo.js';
import { FramedWriter } from './framed-writer.js';
import { encodeReply, type PublishRequest, payloadProblem } from './grpc-codec.js';
import { invalid, type Operations } from './operations.js';

/** Requests that may wait for their counts, and answers for the client to read them; beyond it reading stops. */
const MAX_UNDER_WAY = 8192;
const MAX_WAITING_BYTES = 1024 * 1024;

export interface PublishStreamShell {
  readonly operations: Operations;
  /** Why the next request may not run (role, rate limits); null when it may. */
  refusal(): MeshError | null;
  /** Counts an error. */
  failed(error: MeshError): void;
}

/** `null` stands for a message that was no PublishRequest. */
export type StreamCall = ServerDuplexStream<PublishRequest | null, unknown>;

/** A request under way, in its place in the order of answers. */
interface Slot {
  answer: Buffer | null;
}

const NO_ID = new Uint8Array(0);
const NOTHING: PublishResult = { success: 0, fail: 0, unconfirmed: [] };

export function servePublishStream(call: StreamCall, shell: PublishStreamShell): void {
  const slots = new Fifo<Slot>();
  let ended = false;
  let paused = false;

  const writer = new FramedWriter(call, () => {
    if (paused) goOnReading();
    endWhenAnswered();
  });

  /** Writes the answers at the front that are there. */
  function settle(slot: Slot, answer: Buffer): void {
    slot.answer = answer;
    for (let first = slots.first(); first?.answer; first = slots.first()) {
      slots.shift();
      writer.add(first.answer);
    }
  }

  function endWhenAnswered(): void {
    if (ended && slots.length === 0 && writer.isIdle) call.end();
  }

  function goOnReading(): void {
    if (slots.length >= MAX_UNDER_WAY / 2 || writer.waiting >= MAX_WAITING_BYTES / 2) return;
    paused = false;
    call.resume();
  }

  call.on('data', (request: PublishRequest | null) => {
    const slot: Slot = { answer: null };
    slots.push(slot);
    const id = request?.id ?? NO_ID;
    const finish = (error: MeshError | null, result: PublishResult): void => {
      if (error !== null) shell.failed(error);
      settle(slot, encodeReply(id, error, result));
    };
    const refused =
      shell.refusal() ?? (request === null ? invalid('the message is no PublishRequest') : payloadProblem(request));
    if (refused !== null) finish(refused, NOTHING);
    else if (request !== null) shell.operations.publish(request.channel, request.data, request.binary, true, finish);
    if (!paused && (slots.length >= MAX_UNDER_WAY || writer.waiting >= MAX_WAITING_BYTES)) {
      paused = true;
      call.pause();
    }
  });
  call.on('end', () => {
    ended = true;
    endWhenAnswered();
  });
  call.on('error', () => {});
}
