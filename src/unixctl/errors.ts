// The faults of the control socket.

/** Names of the faults; stable, for programs. */
export type UnixctlErrorCode =
  /** The command was refused: unknown, wrongly used, or not possible now. The message is for the operator. */
  | 'UNIXCTL_REFUSED'
  /** Another process listens at the path. */
  | 'UNIXCTL_IN_USE'
  /** The socket cannot be made or reached. */
  | 'UNIXCTL_UNREACHABLE'
  | 'UNIXCTL_TIMEOUT'
  /** What came over the socket is no reply. */
  | 'UNIXCTL_PROTOCOL';

/** A fault of the control socket, or a command's refusal: then its message is what `ovs-appctl` shows. */
export class UnixctlError extends Error {
  readonly code: UnixctlErrorCode;

  constructor(code: UnixctlErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'UnixctlError';
    this.code = code;
  }
}
