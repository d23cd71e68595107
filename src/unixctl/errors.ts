// The errors of the control socket.

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
