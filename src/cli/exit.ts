/** How a command ends: exit codes of CONFIG.md and the errors that carry them. */

export const EXIT = {
  done: 0,
  /** The mesh said no; the reason is on standard error. */
  refused: 1,
  /** Wrong usage or configuration; nothing has started. */
  usage: 2,
  /** The node could not be reached. */
  unreachable: 3,
  /** A bug of ours (BSD's EX_SOFTWARE). */
  bug: 70,
} as const;

/** Ends a command with a code and a text for standard error. */
export class CommandError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.name = 'CommandError';
  }
}
