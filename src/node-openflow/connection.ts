// One OpenFlow connection over a stream that its owner has opened: hello and version negotiation, requests and replies,
// unsolicited messages, echo. It has no timer, and does not reconnect.
import type { Duplex } from 'node:stream';
import { BUNDLE_FLAGS } from './bundle.ts';
import {
  OPENFLOW_CONNECTION_DEFAULTS,
  type OpenFlowConnectionOptions,
  type OpenFlowConnectionState,
  type OpenFlowConnectionStatus,
  type OpenFlowEnd,
  type OpenFlowEndReason,
} from './connection-options.ts';
import {
  decodeMismatchedError,
  OpenFlowConnectionError,
  type OpenFlowErrorReport,
  OpenFlowRequestError,
} from './errors.ts';
import { MessageFramer } from './framing.ts';
import { encodeFirstMessage, preferredVersions, readFirstMessage } from './handshake.ts';
import { EXPERIMENTER_HEADER_SIZE, isNiciraMessage, readHeader } from './header.ts';
import { decodeMessage, encodeMessage } from './message-codec.ts';
import {
  type MessageOf,
  type OnReply,
  type OpenFlowMessage,
  REPLIES,
  type ReplyOf,
  type RequestType,
} from './message-types.ts';
import { decodePacketIn2, PacketInView } from './packet-in.ts';
import { type Batch, PendingRequests } from './pending-requests.ts';
import { ReplyBacklog } from './reply-backlog.ts';
import { closeStream, drained, endedError } from './stream-end.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion, versionName } from './version.ts';
import { OpenFlowDecodeError, WireReader } from './wire.ts';

const OFPT_HELLO = 0;
const OFPT_ERROR = 1;
const NXT_PACKET_IN2 = 30;
/** Send backlog in bytes at which a transaction stops writing until the stream has drained. */
const PACING_BYTES = 256 * 1024;

/** One OpenFlow connection, from the hello to its end. */
export class OpenFlowConnection {
  /** Resolves to the negotiated version; rejects with the error that ended the connection before. */
  readonly ready: Promise<OpenFlowVersion>;
  /** Resolves once, when the connection has ended; never rejects. */
  readonly ended: Promise<OpenFlowEnd>;

  readonly #stream: Duplex;
  /** In order of preference if the hello is deferred; then narrowed to one by the switch's hello. */
  #versions: readonly OpenFlowVersion[];
  /** The hello is sent after the switch's, which lists the versions that the bridge allows. */
  #isHelloDeferred: boolean;
  readonly #limits: { readonly pendingRequestsMax: number; readonly sendBacklogBytesMax: number };
  readonly #onMessage: (message: OpenFlowMessage, xid: number) => void;
  readonly #onPacketIn: (packetIn: PacketInView) => void;
  readonly #onMismatchedError: (report: OpenFlowErrorReport, version: number) => void;
  readonly #packetIn = new PacketInView();
  readonly #framer: MessageFramer;
  readonly #pending: PendingRequests;
  readonly #replies: ReplyBacklog;
  #state: OpenFlowConnectionState = 'negotiating';
  #version: OpenFlowVersion | null = null;
  #peerVersions: readonly number[] = [];
  #nextBundleId = 1;
  #receivedBytes = 0;
  #receivedMessages = 0;
  #sentMessages = 0;
  #unknownMessages = 0;
  #packetIns = 0;
  #end: OpenFlowEnd | null = null;
  #resolveReady: (version: OpenFlowVersion) => void = () => {};
  #rejectReady: (error: Error) => void = () => {};
  #resolveEnded: (end: OpenFlowEnd) => void = () => {};

  /** Takes over a connected stream and sends the hello. */
  constructor(stream: Duplex, options: OpenFlowConnectionOptions = {}) {
    const defaults = OPENFLOW_CONNECTION_DEFAULTS;
    this.#stream = stream;
    this.#versions = options.preference ?? options.versions ?? OPENFLOW_VERSIONS;
    this.#isHelloDeferred = options.preference !== undefined;
    this.#limits = {
      pendingRequestsMax: options.pendingRequestsMax ?? defaults.pendingRequestsMax,
      sendBacklogBytesMax: options.sendBacklogBytesMax ?? defaults.sendBacklogBytesMax,
    };
    this.#onMessage = options.onMessage ?? (() => {});
    this.#onPacketIn = options.onPacketIn ?? (() => {});
    this.#onMismatchedError = options.onMismatchedError ?? (() => {});
    this.#pending = new PendingRequests(options.multipartBytesMax ?? defaults.multipartBytesMax);
    this.#replies = new ReplyBacklog(stream, options.replyBytesMax ?? defaults.replyBytesMax);
    this.#framer = new MessageFramer((bytes, start, end) => this.#receive(bytes, start, end));
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // For callers that use only `ended`, a rejection of `ready` must not be unhandled.
    this.ready.catch(() => {});
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    if (options.source === undefined) {
      stream.on('data', (chunk: Buffer) => this.#feed(chunk, chunk.length));
    } else {
      options.source.receive((bytes, end) => this.#feed(bytes, end));
    }
    stream.on('end', () => this.#finish('disconnected', 'the switch closed the connection', null));
    stream.on('close', () => this.#finish('disconnected', 'the connection was closed', null));
    stream.on('error', (error: Error) =>
      this.#finish('stream', `the connection failed: ${error.message}`, error),
    );
    if (!this.#isHelloDeferred) {
      this.#sendHello();
    }
  }

  /** Bytes received so far; when it does not grow for long, call `probe`. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  status(): OpenFlowConnectionStatus {
    return {
      state: this.#state,
      version: this.#version,
      peerVersions: this.#peerVersions,
      receivedBytes: this.#receivedBytes,
      receivedMessages: this.#receivedMessages,
      sentMessages: this.#sentMessages,
      unknownMessages: this.#unknownMessages,
      packetIns: this.#packetIns,
      pendingRequests: this.#pending.count,
      sendBacklogBytes: this.#stream.writableLength,
      readPauses: this.#replies.pauses,
    };
  }

  /** Sends a message that has no reply, and returns its transaction id. An error about it is passed to `onMessage`. */
  send(message: OpenFlowMessage): number {
    const version = this.#requireReady();
    this.#requireBacklog();
    const xid = this.#pending.takeXids(1);
    this.#write(encodeMessage(version, message, xid));
    return xid;
  }

  /** Sends a request and resolves to its whole reply. Rejects with `OpenFlowRequestError` when the switch refuses it. */
  async request<Type extends RequestType>(message: MessageOf<Type>, onReply?: OnReply<Type>) {
    this.#requireBacklog();
    this.#requirePending();
    return await this.#ask(message, onReply);
  }

  /** Has what `act` sends, without waiting for anything, reach the switch in one write. */
  together<Result>(act: () => Result): Result {
    this.#stream.cork();
    const result = act();
    this.#stream.uncork();
    return result;
  }

  /** Sends an echo request and waits for the reply. */
  async probe(): Promise<void> {
    await this.request({ type: 'echo_request', data: Buffer.alloc(0) });
  }

  /**
   * Sends all messages and a barrier; resolves, after the barrier's reply, to the errors about the messages. Those without
   * an error take effect; for all or nothing use `bundle`. It waits for a switch that reads slowly, so any number of
   * messages takes bounded memory. Replies to the messages are passed to `onMessage`.
   */
  async transact(messages: readonly OpenFlowMessage[]): Promise<readonly OpenFlowRequestError[]> {
    this.#requireReady();
    this.#requirePending();
    const batch = this.#pending.addBatch(this.#pending.takeXids(messages.length), messages);
    try {
      await this.#writePaced(batch, (message) => message);
      await this.#ask({ type: 'barrier_request' });
    } finally {
      this.#pending.removeBatch(batch);
    }
    return batch.errors;
  }

  /**
   * Applies all messages together, in order, or none of them; resolves to the errors that prevented it, an empty list on
   * success. OpenFlow 1.0 has no bundles (`OPENFLOW_ENCODE`).
   */
  async bundle(messages: readonly OpenFlowMessage[]): Promise<readonly OpenFlowRequestError[]> {
    this.#requireReady();
    this.#requirePending();
    const bundleId = this.#nextBundleId;
    this.#nextBundleId += 1;
    const flags = BUNDLE_FLAGS.atomic | BUNDLE_FLAGS.ordered;
    const control = { type: 'bundle_control', bundleId, flags } as const;
    await this.#ask({ ...control, control: 'open_request' });
    const batch = this.#pending.addBatch(this.#pending.takeXids(messages.length), messages);
    try {
      await this.#writePaced(batch, (message) => ({ type: 'bundle_add_message', bundleId, flags, message }));
      // All errors about messages arrive before the reply to the close. OVS would commit the other messages nevertheless.
      await this.#ask({ ...control, control: 'close_request' });
      await this.#ask({
        ...control,
        control: batch.errors.length > 0 ? 'discard_request' : 'commit_request',
      });
    } catch (error) {
      // A failed commit is refused with OFPBFC_MSG_FAILED, after the error about the message that failed.
      if (!(error instanceof OpenFlowRequestError)) {
        throw error;
      }
      return batch.errors.length > 0 ? batch.errors : [error];
    } finally {
      this.#pending.removeBatch(batch);
    }
    return batch.errors;
  }

  /** Closes the connection; pending requests are rejected. Idempotent. */
  close(reason = 'closed here'): void {
    this.#finish('closed', reason, null);
  }

  /** Sends a request without checking the limits. */
  async #ask<Type extends RequestType>(message: MessageOf<Type>, onReply?: OnReply<Type>) {
    const version = this.#requireReady();
    const xid = this.#pending.takeXids(1);
    const bytes = encodeMessage(version, message as OpenFlowMessage, xid);
    const reply = this.#pending.add(xid, message.type, REPLIES[message.type], onReply);
    this.#write(bytes);
    return (await reply) as unknown as ReplyOf<Type>;
  }

  /** Sends the messages of a batch as fast as the stream accepts them, many in one write. */
  async #writePaced(batch: Batch, wrap: (message: OpenFlowMessage) => OpenFlowMessage): Promise<void> {
    let version = this.#requireReady();
    this.#stream.cork();
    try {
      for (const [index, message] of batch.messages.entries()) {
        const isFlowing = this.#write(encodeMessage(version, wrap(message), batch.firstXid + index));
        if (!isFlowing && this.#stream.writableLength > PACING_BYTES) {
          this.#stream.uncork();
          await drained(this.#stream, this.ended);
          version = this.#requireReady();
          this.#stream.cork();
        }
      }
    } finally {
      this.#stream.uncork();
    }
  }

  #feed(bytes: Buffer, end: number): void {
    if (this.#end !== null) {
      return;
    }
    this.#receivedBytes += end;
    try {
      this.#framer.feed(bytes, end);
    } catch (error) {
      // Only decoders throw it. Anything else is a bug of a callback or of this library and must not be hidden.
      if (!(error instanceof OpenFlowDecodeError)) {
        throw error;
      }
      this.#finish('malformed', `the switch sent a malformed message: ${error.message}`, error);
    }
  }

  #receive(bytes: Buffer, start: number, end: number): void {
    this.#receivedMessages += 1;
    const version = this.#version;
    if (version === null) {
      this.#receiveFirst(bytes.subarray(start, end));
      return;
    }
    if (bytes[start] !== version && bytes[start + 1] === OFPT_ERROR) {
      const { report, version: other } = decodeMismatchedError(bytes.subarray(start, end));
      this.#onMismatchedError(report, other);
      return;
    }
    if (bytes[start] !== version && bytes[start + 1] !== OFPT_HELLO) {
      const found = versionName(bytes.readUInt8(start));
      const message = `the switch sent a message of ${found} on a connection of ${versionName(version)}`;
      this.#finish('protocol', message, new OpenFlowConnectionError('OPENFLOW_VERSION', message));
      return;
    }
    // First, because there are thousands of packet-ins a second.
    if (isNiciraMessage(bytes, start, end, NXT_PACKET_IN2)) {
      this.#packetIns += 1;
      decodePacketIn2(bytes, start + EXPERIMENTER_HEADER_SIZE, end, this.#packetIn);
      this.#onPacketIn(this.#packetIn);
      return;
    }
    this.#dispatch(version, bytes, start, end);
  }

  #dispatch(version: OpenFlowVersion, bytes: Buffer, start: number, end: number): void {
    if (this.#pending.discardedCount > 0 && this.#isDiscarded(bytes.subarray(start, end))) {
      return;
    }
    const { header, message } = decodeMessage(version, bytes, start, end);
    if (message.type === 'echo_request') {
      this.#sentMessages += 1;
      this.#replies.write(encodeMessage(version, { type: 'echo_reply', data: message.data }, header.xid));
      return;
    }
    if (message.type === 'unknown') {
      this.#unknownMessages += 1;
    }
    if (!this.#pending.offer(header.xid, message, header.more, end - start)) {
      this.#onMessage(message, header.xid);
    }
  }

  /** Whether this is a further part of a reply whose request has been rejected. */
  #isDiscarded(bytes: Buffer): boolean {
    const header = readHeader(new WireReader(bytes));
    return header.multipart && this.#pending.discards(header.xid, header.more);
  }

  #sendHello(): void {
    this.#isHelloDeferred = false;
    this.#write(encodeFirstMessage(this.#versions, this.#pending.takeXids(1)));
  }

  /** Handles the first message: a hello, or an error about the hello sent here. */
  #receiveFirst(bytes: Buffer): void {
    if (this.#isHelloDeferred) {
      this.#versions = preferredVersions(this.#versions, bytes);
      this.#sendHello();
    }
    const outcome = readFirstMessage(this.#versions, bytes);
    if ('version' in outcome) {
      this.#version = outcome.version;
      this.#peerVersions = outcome.peerVersions;
      this.#state = 'ready';
      this.#resolveReady(outcome.version);
      return;
    }
    if (outcome.refusal !== null) {
      this.#write(outcome.refusal);
    }
    const reason = outcome.error.code === 'OPENFLOW_VERSION' ? 'version' : 'protocol';
    this.#finish(reason, outcome.error.message, outcome.error);
  }

  /** Writes to the stream; returns whether it accepts more. */
  #write(bytes: Buffer): boolean {
    this.#sentMessages += 1;
    return this.#stream.write(bytes);
  }

  #requireReady(): OpenFlowVersion {
    if (this.#end !== null) {
      throw endedError(this.#end);
    }
    if (this.#version === null) {
      throw new OpenFlowConnectionError(
        'OPENFLOW_NOT_READY',
        'nothing can be sent before `ready` has resolved',
      );
    }
    return this.#version;
  }

  #requireBacklog(): void {
    const backlog = this.#stream.writableLength;
    if (backlog > this.#limits.sendBacklogBytesMax) {
      const message = `the switch does not read: ${backlog} bytes are waiting to be sent (sendBacklogBytesMax)`;
      throw new OpenFlowConnectionError('OPENFLOW_BACKLOG', message);
    }
  }

  #requirePending(): void {
    if (this.#pending.count >= this.#limits.pendingRequestsMax) {
      const message = `${this.#pending.count} requests are pending (pendingRequestsMax)`;
      throw new OpenFlowConnectionError('OPENFLOW_PENDING', message);
    }
  }

  #finish(reason: OpenFlowEndReason, message: string, error: Error | null): void {
    if (this.#end !== null) {
      return;
    }
    const end: OpenFlowEnd = { reason, message, error };
    // A switch that has not replied to a request may be stuck, so its close is not awaited.
    const isGraceful = reason === 'closed' && this.#state === 'ready' && this.#pending.count === 0;
    this.#end = end;
    this.#state = 'ended';
    this.#framer.stop();
    closeStream(this.#stream, isGraceful, reason === 'version');
    this.#rejectReady(error ?? endedError(end));
    this.#pending.rejectAll(endedError(end));
    this.#resolveEnded(end);
  }
}
