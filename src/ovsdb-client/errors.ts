// The errors of this library, with a closed list of codes. Callers branch on `code` (and on the server's error string in
// `error`), never on the message.

/** The stable codes of {@link OvsdbError}. */
export const OvsdbErrorCode = {
  /** A message exceeds `messageBytesMax`; the connection is closed. */
  messageTooBig: 'OVSDB_MESSAGE_TOO_BIG',
  /** A message is nested deeper than `depthMax`; the connection is closed. */
  messageTooDeep: 'OVSDB_MESSAGE_TOO_DEEP',
  /** Bytes that are not UTF-8; the connection is closed. */
  invalidUtf8: 'OVSDB_INVALID_UTF8',
  /** Bytes that are not a JSON object; the connection is closed. */
  invalidJson: 'OVSDB_INVALID_JSON',
  /** JSON that is not a message of JSON-RPC 1.0, or a reply without a request; the connection is closed. */
  protocol: 'OVSDB_PROTOCOL',
  /** A schema, value, result or update that is not in the notation of RFC 7047. */
  notation: 'OVSDB_NOTATION',
  /** The server answered a request with an error. */
  reply: 'OVSDB_REPLY',
  /** The server refused or aborted a transaction; nothing of it was committed. */
  transaction: 'OVSDB_TRANSACTION',
  /** `pendingRequestsMax` requests are pending; this one was not sent. */
  pendingRequestsMax: 'OVSDB_PENDING_REQUESTS_MAX',
  /** The send backlog would exceed `sendBytesMax`. A request is not sent; for a reply the connection is closed. */
  sendBytesMax: 'OVSDB_SEND_BYTES_MAX',
  /** The caller's AbortSignal fired before the reply came. The server may have executed the request. */
  aborted: 'OVSDB_ABORTED',
  /** The connection ended before the reply came; `cause` says why. The server may have executed the request. */
  closed: 'OVSDB_CLOSED',
  /** The stream failed; `cause` is the error of the operating system or of TLS. */
  stream: 'OVSDB_STREAM',
  /** The replica cannot follow this connection; `cause` says why. */
  replica: 'OVSDB_REPLICA',
} as const;
export type OvsdbErrorCode = (typeof OvsdbErrorCode)[keyof typeof OvsdbErrorCode];

/** An expected failure of this library. */
export class OvsdbError extends Error {
  readonly code: OvsdbErrorCode;

  constructor(code: OvsdbErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'OvsdbError';
    this.code = code;
  }
}

/** A value, schema, result or update from the server (or a schema file) that is invalid by RFC 7047. */
export class OvsdbNotationError extends OvsdbError {
  /** Its path, outermost first: "update3.Bridge.5f0c….ipfix". */
  readonly path: string;

  constructor(path: string, fault: string) {
    super(OvsdbErrorCode.notation, `${path}: ${fault}`);
    this.name = 'OvsdbNotationError';
    this.path = path;
  }
}

/** An `<error>` (RFC 7047, section 3.1), with the member that ovsdb-server adds. */
export interface OvsdbFault {
  /** The server's error string: "constraint violation", "unknown database". */
  readonly error: string;
  /** A sentence for operators. */
  readonly details: string | undefined;
  /** The JSON that the server could not accept, as text. */
  readonly syntax: string | undefined;
}

function describeFault(fault: OvsdbFault): string {
  const details = fault.details === undefined ? '' : `: ${fault.details}`;
  return `${fault.error}${details}${fault.syntax === undefined ? '' : ` (in ${fault.syntax.slice(0, 200)})`}`;
}

/** The error reply to a request. */
export class OvsdbReplyError extends OvsdbError implements OvsdbFault {
  readonly method: string;
  readonly error: string;
  readonly details: string | undefined;
  readonly syntax: string | undefined;

  constructor(method: string, fault: OvsdbFault) {
    super(OvsdbErrorCode.reply, `The server answered ${method} with ${describeFault(fault)}.`);
    this.name = 'OvsdbReplyError';
    this.method = method;
    this.error = fault.error;
    this.details = fault.details;
    this.syntax = fault.syntax;
  }
}

/** A transaction that failed as a whole because one of its operations, or the commit, did. */
export class OvsdbTransactionError extends OvsdbError implements OvsdbFault {
  readonly error: string;
  readonly details: string | undefined;
  readonly syntax: string | undefined;
  /** Index of the operation that failed; equal to the number of operations when the commit failed (RFC 7047 4.1.3). */
  readonly operationIndex: number;
  /** The undecoded results: those before the failure, the error, and null for operations that were not executed. */
  readonly results: readonly unknown[];

  constructor(fault: OvsdbFault, operationIndex: number, where: string, results: readonly unknown[]) {
    super(OvsdbErrorCode.transaction, `The transaction failed at ${where} with ${describeFault(fault)}.`);
    this.name = 'OvsdbTransactionError';
    this.error = fault.error;
    this.details = fault.details;
    this.syntax = fault.syntax;
    this.operationIndex = operationIndex;
    this.results = results;
  }
}

/** Whether the server replied "unknown method", as servers do that are too old for it. */
export function isUnknownMethod(error: unknown): boolean {
  return error instanceof OvsdbReplyError && error.error === 'unknown method';
}

/** Reads the `<error>` of a reply or result: an object (RFC 7047, section 3.1), or a bare string, as ovsdb-server sends too. */
export function parseFault(json: unknown): OvsdbFault {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
    const members = json as Record<string, unknown>;
    const text = (name: string): string | undefined =>
      typeof members[name] === 'string' ? members[name] : undefined;
    const error = text('error');
    if (error !== undefined) {
      // The error of the operating system, as "No space left on device".
      const ofSystem = text('io-error');
      const details = text('details');
      return {
        error,
        details: ofSystem === undefined ? details : [details, `(${ofSystem})`].join(' ').trim(),
        syntax: text('syntax'),
      };
    }
  }
  const error = typeof json === 'string' ? json : JSON.stringify(json);
  return { error, details: undefined, syntax: undefined };
}
