/**
 * The errors that lumesh shows to people and programs: one public table of codes, checked against the docs.
 * A MeshError crosses only the edges (API, command line, configuration); inside, expected outcomes are values.
 */

/** Code → number of the API's envelope, HTTP status, gRPC status name, what to do about it. Source: API.md "Envelope". */
export const ERRORS = {
  invalid_argument: { code: 101, status: 400, grpc: 'INVALID_ARGUMENT', cure: 'Correct the named argument.' },
  not_authorised: { code: 102, status: 401, grpc: 'UNAUTHENTICATED', cure: 'Send a valid login.' },
  forbidden: { code: 102, status: 403, grpc: 'PERMISSION_DENIED', cure: 'Use a user whose roles allow this call.' },
  too_large: { code: 103, status: 413, grpc: 'RESOURCE_EXHAUSTED', cure: 'Send less, or raise the named limit.' },
  overloaded: { code: 104, status: 429, grpc: 'RESOURCE_EXHAUSTED', cure: 'Wait as long as retry-after says.' },
  not_ready: {
    code: 104,
    status: 503,
    grpc: 'UNAVAILABLE',
    cure: 'Ask another node, or wait until this one is ready.',
  },
  no_such_method: { code: 105, status: 404, grpc: 'UNIMPLEMENTED', cure: 'Use a method of the API reference.' },
  consume_failed: {
    code: 201,
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    cure: 'Name topics as the queue reference says.',
  },
  already_consuming: { code: 202, status: 400, grpc: 'FAILED_PRECONDITION', cure: 'Send queue.unpop first.' },
  cancel_failed: { code: 203, status: 400, grpc: 'FAILED_PRECONDITION', cure: 'Send queue.pop first.' },
  call_failed: {
    code: 301,
    status: 404,
    grpc: 'NOT_FOUND',
    cure: 'The connection is gone: forget its client id; or it refused: the text says why.',
  },
  send_failed: { code: 401, status: 404, grpc: 'NOT_FOUND', cure: 'The connection is gone or too slow.' },
  internal: { code: 500, status: 500, grpc: 'INTERNAL', cure: 'A bug: please report it with the log lines around it.' },
} as const;

export type ErrorName = keyof typeof ERRORS;

/** An error of the public table, with a message that names what was wrong, where, and what was expected. */
export class MeshError extends Error {
  readonly code: number;
  readonly status: number;
  /** Seconds after which a try may succeed, where the limit knows it. */
  readonly retryAfter: number | undefined;

  constructor(
    readonly kind: ErrorName,
    message: string,
    retryAfter?: number,
  ) {
    super(message);
    this.name = 'MeshError';
    this.code = ERRORS[kind].code;
    this.status = ERRORS[kind].status;
    this.retryAfter = retryAfter;
  }
}

/** Ends the process with one clear line when something that cannot be has happened: a bug of ours, never bad input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** A broken invariant. main.ts prints its one line and exits 70; the simulator reports it with the seed. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`broken invariant: ${message}`);
    this.name = 'InvariantError';
  }
}
