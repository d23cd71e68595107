// One OpenFlow connection over a stream that somebody else has opened: hello and version, requests and their replies,
// unsolicited messages, echo. It has no timer and opens nothing; when it has ended it stays ended.
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
  decodeForeignError,
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
  type OpenFlowMessage,
  REPLIES,
  type ReplyOf,
  type RequestType,
} from './message-types.ts';
import { decodePacketIn2, PacketInView } from './packet-in.ts';
import { type Batch, PendingRequests } from './pending-requests.ts';
import { closeStream, drained, endedError } from './stream-end.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion, versionName } from './version.ts';
import { OpenFlowDecodeError, WireReader } from './wire.ts';

const OFPT_HELLO = 0;
const OFPT_ERROR = 1;
const NXT_PACKET_IN2 = 30;
/** A transaction stops writing when this much waits to be sent, and goes on when the stream has drained. */
const PACING_BYTES = 256 * 1024;

/** One OpenFlow connection, from the first hello to the end. */
export class OpenFlowConnection {
  /** The version that both sides use; rejects with the named error that ended the connection before that. */
  readonly ready: Promise<OpenFlowVersion>;
  /** Resolves once, when the connection is over, and never rejects. */
  readonly ended: Promise<OpenFlowEnd>;

  readonly #stream: Duplex;
  /** In order of preference when `#isHelloHeld` was set at first; narrowed to one by the hello of the switch. */
  #versions: readonly OpenFlowVersion[];
  /** Our hello has not been sent yet: it waits for the switch's, which lists the versions that the bridge allows. */
  #isHelloHeld: boolean;
  readonly #limits: { readonly pendingRequestsMax: number; readonly sendBacklogBytesMax: number };
  readonly #onMessage: (message: OpenFlowMessage, xid: number) => void;
  readonly #onPacketIn: (packetIn: PacketInView) => void;
  readonly #onForeignError: (report: OpenFlowErrorReport, version: number) => void;
  readonly #packetIn = new PacketInView();
  readonly #framer: MessageFramer;
  readonly #pending: PendingRequests;
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

  /** Takes over a connected stream and says hello. */
  constructor(stream: Duplex, options: OpenFlowConnectionOptions = {}) {
    const defaults = OPENFLOW_CONNECTION_DEFAULTS;
    this.#stream = stream;
    this.#versions = options.preference ?? options.versions ?? OPENFLOW_VERSIONS;
    this.#isHelloHeld = options.preference !== undefined;
    this.#limits = {
      pendingRequestsMax: options.pendingRequestsMax ?? defaults.pendingRequestsMax,
      sendBacklogBytesMax: options.sendBacklogBytesMax ?? defaults.sendBacklogBytesMax,
    };
    this.#onMessage = options.onMessage ?? (() => {});
    this.#onPacketIn = options.onPacketIn ?? (() => {});
    this.#onForeignError = options.onForeignError ?? (() => {});
    this.#pending = new PendingRequests(options.multipartBytesMax ?? defaults.multipartBytesMax);
    this.#framer = new MessageFramer((bytes, start, end) => this.#receive(bytes, start, end));
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // Whoever only looks at `ended` must not be killed by an unhandled rejection of `ready`.
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
    if (!this.#isHelloHeld) {
      this.#sayHello();
    }
  }

  /** Bytes received so far: a change tells an inactivity probe that the switch is alive. */
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
    };
  }

  /** Sends a message that is not answered, and returns its transaction id: errors about it go to `onMessage`. */
  send(message: OpenFlowMessage): number {
    const version = this.#requireReady();
    this.#requireBacklog();
    const xid = this.#pending.takeXids(1);
    this.#write(encodeMessage(version, message, xid));
    return xid;
  }

  /** Sends a request and resolves to its whole reply; rejects with `OpenFlowRequestError` when the switch refuses it. */
  async request<Type extends RequestType>(message: MessageOf<Type>): Promise<ReplyOf<Type>> {
    this.#requireReady();
    this.#requireBacklog();
    this.#requirePending();
    return await this.#ask(message);
  }

  /** Has what `act` sends, without waiting for anything, reach the switch in one write. */
  together<Result>(act: () => Result): Result {
    this.#stream.cork();
    const result = act();
    this.#stream.uncork();
    return result;
  }

  /** Asks the switch for a sign of life. */
  async probe(): Promise<void> {
    await this.request({ type: 'echo_request', data: Buffer.alloc(0) });
  }

  /**
   * Sends all messages and then a barrier; resolves to the errors about them when the barrier has been passed. The other
   * messages take effect: for all or nothing see `bundle`. It waits while the switch reads slowly, so that any number of
   * messages takes bounded memory here; replies to the messages, if they have any, go to `onMessage`.
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
   * Has all messages take effect together, in their order, or none of them; resolves to the errors that prevented it, so
   * that an empty list means that it was done. OpenFlow 1.0 has no bundles (`OPENFLOW_ENCODE`).
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
      // All refusals of messages have arrived when the bundle is closed; OVS would commit the others all the same.
      await this.#ask({ ...control, control: 'close_request' });
      await this.#ask({
        ...control,
        control: batch.errors.length > 0 ? 'discard_request' : 'commit_request',
      });
    } catch (error) {
      // A commit that fails is refused as such (OFPBFC_MSG_FAILED), after the error about the message that is to blame.
      if (!(error instanceof OpenFlowRequestError)) {
        throw error;
      }
      return batch.errors.length > 0 ? batch.errors : [error];
    } finally {
      this.#pending.removeBatch(batch);
    }
    return batch.errors;
  }

  /** Ends the connection; all that waits is told. Safe to repeat. */
  close(reason = 'closed here'): void {
    this.#finish('closed', reason, null);
  }

  /** Sends a request, whatever waits already. */
  async #ask<Type extends RequestType>(message: MessageOf<Type>): Promise<ReplyOf<Type>> {
    const version = this.#requireReady();
    const xid = this.#pending.takeXids(1);
    const bytes = encodeMessage(version, message as OpenFlowMessage, xid);
    const reply = this.#pending.add(xid, message.type, REPLIES[message.type]);
    this.#write(bytes);
    return (await reply) as unknown as ReplyOf<Type>;
  }

  /** Sends the messages of a batch as fast as the stream takes them, many in one write. */
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
      // Only decoders throw this; anything else is a fault of a callback or of ours and must not be hidden.
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
      const { report, version: foreign } = decodeForeignError(bytes.subarray(start, end));
      this.#onForeignError(report, foreign);
      return;
    }
    if (bytes[start] !== version && bytes[start + 1] !== OFPT_HELLO) {
      const found = versionName(bytes.readUInt8(start));
      const message = `the switch sent a message of ${found} on a connection of ${versionName(version)}`;
      this.#finish('protocol', message, new OpenFlowConnectionError('OPENFLOW_VERSION', message));
      return;
    }
    // Before anything else is done with a message, because there are thousands a second.
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
      this.#answerEcho(version, message.data, header.xid);
      return;
    }
    if (message.type === 'unknown') {
      this.#unknownMessages += 1;
    }
    if (!this.#pending.offer(header.xid, message, header.more, end - start)) {
      this.#onMessage(message, header.xid);
    }
  }

  /** Whether it is one more part of a reply that has been given up. */
  #isDiscarded(bytes: Buffer): boolean {
    const header = readHeader(new WireReader(bytes));
    return header.multipart && this.#pending.discards(header.xid, header.more);
  }

  #answerEcho(version: OpenFlowVersion, data: Buffer, xid: number): void {
    if (this.#stream.writableLength > this.#limits.sendBacklogBytesMax) {
      const message = `the switch sends echo requests but does not read: ${this.#stream.writableLength} bytes wait`;
      this.#finish('backlog', message, new OpenFlowConnectionError('OPENFLOW_BACKLOG', message));
      return;
    }
    this.#write(encodeMessage(version, { type: 'echo_reply', data }, xid));
  }

  #sayHello(): void {
    this.#isHelloHeld = false;
    this.#write(encodeFirstMessage(this.#versions, this.#pending.takeXids(1)));
  }

  /** Before the versions are agreed only a hello may come, or the switch's refusal of ours. */
  #receiveFirst(bytes: Buffer): void {
    if (this.#isHelloHeld) {
      this.#versions = preferredVersions(this.#versions, bytes);
      this.#sayHello();
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

  /** Whether the stream wants more. */
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
      const message = `the switch does not read: ${backlog} bytes wait to be sent (sendBacklogBytesMax)`;
      throw new OpenFlowConnectionError('OPENFLOW_BACKLOG', message);
    }
  }

  #requirePending(): void {
    if (this.#pending.count >= this.#limits.pendingRequestsMax) {
      const message = `${this.#pending.count} requests wait for their reply already (pendingRequestsMax)`;
      throw new OpenFlowConnectionError('OPENFLOW_PENDING', message);
    }
  }

  #finish(reason: OpenFlowEndReason, message: string, error: Error | null): void {
    if (this.#end !== null) {
      return;
    }
    const end: OpenFlowEnd = { reason, message, error };
    // A switch that owes us an answer may be stuck, and is not waited for.
    const isPolite = reason === 'closed' && this.#state === 'ready' && this.#pending.count === 0;
    this.#end = end;
    this.#state = 'ended';
    this.#framer.stop();
    closeStream(this.#stream, isPolite, reason === 'version');
    this.#rejectReady(error ?? endedError(end));
    this.#pending.rejectAll(endedError(end));
    this.#resolveEnded(end);
  }
}
