// The options, limits and status of a connection.
import type { OpenFlowErrorReport } from './errors.ts';
import type { OpenFlowMessage } from './message-types.ts';
import type { PacketInView } from './packet-in.ts';
import type { OpenFlowVersion } from './version.ts';

/**
 * The source of a stream's bytes when it emits no 'data' events, such as a socket with `onread`: `receive` is called once,
 * and its argument then with each chunk, `bytes[0, end)`, which must be valid only until that call returns.
 */
export interface ByteSource {
  receive(receiver: (bytes: Buffer, end: number) => void): void;
}

/** Options of `OpenFlowConnection`. */
export interface OpenFlowConnectionOptions {
  /** Default: the 'data' events of the stream. Its other events are used in any case. */
  readonly source?: ByteSource;
  /** Versions to offer. Default: all that this library supports. */
  readonly versions?: readonly OpenFlowVersion[];
  /**
   * Versions in order of preference, instead of `versions`: the hello is sent after the switch's, which every OVS sends
   * immediately, and offers the first of these that the switch allows. Without it the highest common version is used.
   */
  readonly preference?: readonly OpenFlowVersion[];
  /**
   * Called with an OFPT_ERROR of another OpenFlow version than the connection's, and the number of that version. It cannot
   * be matched to a request, and does not end the connection: OVS before 3.0 sends it for requests that it cannot parse.
   */
  readonly onMismatchedError?: (report: OpenFlowErrorReport, version: number) => void;
  /**
   * Called with each NXT_PACKET_IN2. The view is reused, and valid until the call returns. Other packet-ins are passed to
   * `onMessage`.
   */
  readonly onPacketIn?: (packetIn: PacketInView) => void;
  /** Called with each message that does not answer a request, in the order received, and its transaction id. */
  readonly onMessage?: (message: OpenFlowMessage, xid: number) => void;
  /** Pending requests and transactions; one more is refused with `OPENFLOW_PENDING`. Default: 1000. */
  readonly pendingRequestsMax?: number;
  /** Size of a multipart reply in bytes; a larger one rejects its request with `OPENFLOW_MULTIPART`. Default: 256 MiB. */
  readonly multipartBytesMax?: number;
  /** Send backlog in bytes; beyond it `send` and `request` fail with `OPENFLOW_BACKLOG`. Default: 8 MiB. */
  readonly sendBacklogBytesMax?: number;
  /**
   * Bytes of echo replies that wait to be sent; beyond it nothing is read until the switch has read half of them. Default:
   * 64 KiB.
   */
  readonly replyBytesMax?: number;
}

export const OPENFLOW_CONNECTION_DEFAULTS = {
  pendingRequestsMax: 1000,
  multipartBytesMax: 256 * 1024 * 1024,
  sendBacklogBytesMax: 8 * 1024 * 1024,
  replyBytesMax: 64 * 1024,
} as const;

/** The states of a connection, in order. */
export type OpenFlowConnectionState = 'negotiating' | 'ready' | 'ended';

/**
 * Why a connection ended: `closed` here, `disconnected` by the switch, `stream` failed, no common `version`, `malformed`
 * message, `protocol` violation.
 */
export type OpenFlowEndReason = 'closed' | 'disconnected' | 'stream' | 'version' | 'malformed' | 'protocol';

export interface OpenFlowEnd {
  readonly reason: OpenFlowEndReason;
  /** A clause for operators. */
  readonly message: string;
  /** The error that ended it; null when nothing failed. */
  readonly error: Error | null;
}

/** The status of a connection. */
export interface OpenFlowConnectionStatus {
  readonly state: OpenFlowConnectionState;
  readonly version: OpenFlowVersion | null;
  /** Wire numbers of the versions in the switch's hello, which are those of a bridge's column `protocols`. */
  readonly peerVersions: readonly number[];
  readonly receivedBytes: number;
  readonly receivedMessages: number;
  readonly sentMessages: number;
  readonly unknownMessages: number;
  /** Number of NXT_PACKET_IN2 received. */
  readonly packetIns: number;
  readonly pendingRequests: number;
  readonly sendBacklogBytes: number;
  /** How often reading was stopped at `replyBytesMax`. */
  readonly readPauses: number;
}
