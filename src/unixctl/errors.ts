// The errors of the control socket.

import { clause } from '../runtime/sentence.ts';

/** Codes of the errors; stable. */
export type UnixctlErrorCode =
  /** The command was refused: unknown, wrong arguments, or not possible now. The message is for the operator. */
  | 'UNIXCTL_REFUSED'
  /** Another process listens at the path. */
  | 'UNIXCTL_IN_USE'
  /** The socket cannot be created or reached. */
  | 'UNIXCTL_UNREACHABLE'
  | 'UNIXCTL_TIMEOUT'
  /** The peer sent an invalid reply. */
  | 'UNIXCTL_PROTOCOL';

/** An error of the control socket, or the refusal of a command, whose message `ovs-appctl` prints. */
export class UnixctlError extends Error {
  readonly code: UnixctlErrorCode;

  constructor(code: UnixctlErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'UnixctlError';
    this.code = code;
  }
}

/** Returns a clause if the command `status` was refused, which a daemon never does; undefined for other errors. */
export function anotherProgram(error: unknown): string | undefined {
  return error instanceof UnixctlError && error.code === 'UNIXCTL_REFUSED'
    ? `is the socket of another program, which answers: ${clause(error.message)}`
    : undefined;
}
