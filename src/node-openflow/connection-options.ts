// What a connection can be told and what it tells about itself.
import type { OpenFlowErrorReport } from './errors.ts';
import type { OpenFlowMessage } from './message-types.ts';
import type { PacketInView } from './packet-in.ts';
import type { OpenFlowVersion } from './version.ts';

/**
 * Where the bytes of a stream come from when it has no 'data' events, as with the `onread` of a socket that reads into one
 * piece of memory: `receive` is called once, and its argument then with each piece, `bytes[0, end)`, which has to hold only
 * until that call returns.
 */
export interface ByteSource {
  receive(receiver: (bytes: Buffer, end: number) => void): void;
}

/** What `OpenFlowConnection` can be told. */
export interface OpenFlowConnectionOptions {
  /** Default: the 'data' events of the stream. Its other events are looked at in any case. */
  readonly source?: ByteSource;
  /** Versions to offer; default all that this library speaks. */
  readonly versions?: readonly OpenFlowVersion[];
  /**
   * Versions in order of preference, instead of `versions`: our hello waits for the switch's, which every OVS sends at once,
   * and then offers the first of these that the switch allows. Without it both sides use the highest common version.
   */
  readonly preference?: readonly OpenFlowVersion[];
  /**
   * Called with an ERROR of another OpenFlow version than the connection's, and that version's number on the wire. It answers
   * no request and does not end the connection: OVS before 3.0 sends it for requests that it cannot parse.
   */
  readonly onForeignError?: (report: OpenFlowErrorReport, version: number) => void;
  /**
   * Called with each NXT_PACKET_IN2. The view is one and the same object, and what it points to is gone when the call
   * returns. Other packet-ins are messages like any.
   */
  readonly onPacketIn?: (packetIn: PacketInView) => void;
  /** Called with each message that answers no request of ours, in the order of arrival, and its transaction id. */
  readonly onMessage?: (message: OpenFlowMessage, xid: number) => void;
  /** Requests and transactions that may wait at a time; one more is refused with `OPENFLOW_PENDING`. Default 1000. */
  readonly pendingRequestsMax?: number;
  /** Size of one reply in parts, in bytes on the wire; a larger one is refused with `OPENFLOW_MULTIPART`. Default 256 MiB. */
  readonly multipartBytesMax?: number;
  /** Bytes that may wait to be sent; `send` and `request` refuse with `OPENFLOW_BACKLOG` beyond. Default 8 MiB. */
  readonly sendBacklogBytesMax?: number;
}

export const OPENFLOW_CONNECTION_DEFAULTS = {
  pendingRequestsMax: 1000,
  multipartBytesMax: 256 * 1024 * 1024,
  sendBacklogBytesMax: 8 * 1024 * 1024,
} as const;

/** Where a connection is in its life; it only moves on. */
export type OpenFlowConnectionState = 'negotiating' | 'ready' | 'ended';

/**
 * Why a connection is over: `closed` by us, `disconnected` by the switch, `stream` failed, no common `version`,
 * `malformed` bytes, a `protocol` violation, a `backlog` that the switch does not read.
 */
export type OpenFlowEndReason =
  | 'closed'
  | 'disconnected'
  | 'stream'
  | 'version'
  | 'malformed'
  | 'protocol'
  | 'backlog';

export interface OpenFlowEnd {
  readonly reason: OpenFlowEndReason;
  /** One sentence for people. */
  readonly message: string;
  /** The error behind it; null when nothing failed. */
  readonly error: Error | null;
}

/** A snapshot of what a connection has done. */
export interface OpenFlowConnectionStatus {
  readonly state: OpenFlowConnectionState;
  readonly version: OpenFlowVersion | null;
  /** Wire numbers of the versions that the switch's hello allows, such as those of a bridge's column `protocols`. */
  readonly peerVersions: readonly number[];
  readonly receivedBytes: number;
  readonly receivedMessages: number;
  readonly sentMessages: number;
  readonly unknownMessages: number;
  /** NXT_PACKET_IN2 only. */
  readonly packetIns: number;
  readonly pendingRequests: number;
  readonly sendBacklogBytes: number;
}
