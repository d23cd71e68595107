// One connection to a scripted switch, as the stream that a client gets when it connects. It has no socket and no timer: the
// switch's messages arrive in the same turn of the event loop, after settled promises have run.

import { Duplex } from 'node:stream';
import { MessageFramer } from '../../../src/node-openflow/framing.ts';
import { negotiateVersion } from '../../../src/node-openflow/hello.ts';
import {
  type AsyncConfig,
  type ControllerRole,
  decodeMessage,
  encodeMessage,
  type FlowMod,
  isOpenFlowVersion,
  OPENFLOW_VERSIONS,
  type OpenFlowMessage,
  type OpenFlowVersion,
  versionName,
} from '../../../src/node-openflow/index.ts';
import { Refusal } from './behaviour.ts';
import { FlowMonitors } from './flow-monitors.ts';
import { executeRequest } from './handlers.ts';
import { formatMessage } from './message-text.ts';
import { errorReply } from './replies.ts';
import { decodeRequest } from './requests.ts';
import type { SwitchState } from './switch-state.ts';

const OFPT_HELLO = 0;
const ERROR_DATA_BYTES = 64;

/** Settings of a connection by its client. */
export interface ConnectionSettings {
  controllerId: number;
  packetInFormat: number;
  /** While it is 0, the client gets no unsolicited messages but those of flow monitors. */
  missSendLength: number;
  asyncConfig: AsyncConfig;
  role: ControllerRole;
  /** OpenFlow 1.0: whether flow mods have a table. */
  namesTables: boolean;
}

export class SwitchConnection extends Duplex {
  /** Counted from 1. */
  readonly number: number;
  readonly settings: ConnectionSettings = {
    controllerId: 0,
    packetInFormat: 0,
    missSendLength: 0,
    asyncConfig: {},
    role: 'equal',
    namesTables: false,
  };
  /** Bundles that are open, by id. */
  readonly bundles = new Map<number, readonly FlowMod[]>();
  readonly #state: SwitchState;
  readonly #framer: MessageFramer;
  #version: OpenFlowVersion | undefined;
  #monitors: FlowMonitors | undefined;
  #isOver = false;
  #outgoing: Buffer[] = [];
  /** Number of delayed replies, and when the last of them is or was due. */
  #lateAnswers = 0;
  #busyUntilMs = 0;
  /** Replies held until `ScriptedSwitch.release`. */
  #held: Buffer[] = [];
  /** Writes that wait until the switch reads. */
  #unread: (() => void)[] = [];
  /** The transaction id of the message that is being executed. */
  #executing: number | undefined;

  constructor(number: number, state: SwitchState) {
    super();
    this.number = number;
    this.#state = state;
    this.#framer = new MessageFramer((bytes, start, end) => this.#receive(bytes.subarray(start, end)));
    const versions = state.behaviour.versions;
    if (state.behaviour.saysHello) {
      const highest = versions.reduce<OpenFlowVersion>((a, b) => (b > a ? b : a), 1);
      // OVS omits the bitmap when it allows all versions up to the highest.
      const isWhole = OPENFLOW_VERSIONS.every((version) => version > highest || versions.includes(version));
      this.sendBytes(encodeMessage(highest, { type: 'hello', versions: isWhole ? null : versions }, 0));
    }
  }

  /** The negotiated version; undefined before the client's hello. */
  get version(): OpenFlowVersion | undefined {
    return this.#version;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get monitors(): FlowMonitors | undefined {
    return this.#monitors;
  }

  /** The transaction id of the message of this connection that is being executed, if any. */
  get executingXid(): number | undefined {
    return this.#executing;
  }

  /** Sends messages, or holds them while replies are held. */
  sendBytes(...messages: readonly Buffer[]): void {
    if (this.#isOver) {
      return;
    }
    for (const bytes of messages) {
      this.#state.note(`${this.number} -> ${describe(this.#version, bytes)}`);
      this.#outgoing.push(bytes);
    }
    if (this.#outgoing.length > 0) {
      process.nextTick(() => this.#deliver());
    }
  }

  /** Sends bytes that need not be a message. */
  sendRaw(bytes: Buffer, what: string): void {
    if (this.#isOver) {
      return;
    }
    this.#state.note(`${this.number} -> ${what}`);
    this.#outgoing.push(bytes);
    process.nextTick(() => this.#deliver());
  }

  /** Closes the connection from the switch's side, after the messages sent. */
  hangUp(): void {
    if (this.#isOver) {
      return;
    }
    this.#end('ended by the switch');
    process.nextTick(() => {
      this.#deliver();
      if (!this.destroyed) {
        this.push(null);
      }
    });
  }

  /** Reads the waiting writes, if the switch reads. */
  resumeReading(): void {
    for (const proceed of this.#unread.splice(0)) {
      proceed();
    }
  }

  /** Sends the held replies. */
  releaseHeld(): void {
    this.sendBytes(...this.#held.splice(0));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const proceed = () => {
      if (!this.#isOver) {
        this.#framer.feed(chunk);
      }
      done();
    };
    if (this.#state.behaviour.isReading) {
      proceed();
    } else {
      this.#unread.push(proceed);
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#end('closed by the client');
    done();
    process.nextTick(() => {
      if (!this.destroyed) {
        this.push(null);
      }
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#end('closed by the client');
    done(error);
  }

  #end(how: string): void {
    if (this.#isOver) {
      return;
    }
    this.#isOver = true;
    this.#framer.stop();
    this.#state.forget(this);
    this.#state.note(`${this.number} ${how}`);
  }

  #deliver(): void {
    if (this.destroyed || this.readableEnded) {
      return;
    }
    const bytes = Buffer.concat(this.#outgoing.splice(0));
    if (bytes.length > 0) {
      this.push(bytes);
    }
  }

  #receive(bytes: Buffer): void {
    if (this.#isOver) {
      return;
    }
    if (this.#version === undefined) {
      this.#negotiate(bytes);
      return;
    }
    const version = this.#version;
    const { message, xid } = decodeRequest(version, bytes);
    this.#state.note(`${this.number} <- ${formatMessage(message)}`);
    const fault = this.#state.faults.take(message, version);
    switch (fault?.action) {
      case 'hang up':
        this.hangUp();
        return;
      case 'ignore':
        return;
      case 'refuse':
        this.#reply(message, [this.#error(fault.errorName ?? 'OFPBRC_EPERM', xid, bytes)]);
        return;
      case 'mute':
      case 'hang up after':
      case undefined: {
        const replies = this.#execute(version, message, xid, bytes);
        if (fault === undefined) {
          this.#reply(message, replies);
        }
        if (fault?.action === 'hang up after') {
          this.hangUp();
        }
      }
    }
  }

  /** Executes a message; flow monitor updates about it are sent before the reply. */
  #execute(version: OpenFlowVersion, message: OpenFlowMessage, xid: number, bytes: Buffer): Buffer[] {
    this.#executing = xid;
    try {
      return executeRequest(this.#state, this, version, { message, xid, bytes });
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      return [this.#error(error.errorName, xid, bytes)];
    } finally {
      this.#state.flushMonitors();
      this.#executing = undefined;
    }
  }

  #reply(message: OpenFlowMessage, replies: readonly Buffer[]): void {
    if (this.#state.isHeld(message.type)) {
      this.#held.push(...replies);
      return;
    }
    const { behaviour, clock } = this.#state;
    const nowMs = clock.monotonicMicros() / 1000;
    const delayMs = behaviour.answerMs[message.type] ?? 0;
    if (replies.length === 0 || (delayMs === 0 && this.#lateAnswers === 0)) {
      this.sendBytes(...replies);
      return;
    }
    this.#lateAnswers += 1;
    this.#busyUntilMs = Math.max(nowMs, this.#busyUntilMs) + delayMs;
    clock.setTimer(() => {
      this.#lateAnswers -= 1;
      this.sendBytes(...replies);
    }, this.#busyUntilMs - nowMs);
  }

  #error(name: string, xid: number, bytes: Buffer): Buffer {
    return errorReply(this.#version ?? 1, name, xid, Buffer.from(bytes.subarray(0, ERROR_DATA_BYTES)));
  }

  #negotiate(bytes: Buffer): void {
    const { versions } = this.#state.behaviour;
    if (bytes[1] !== OFPT_HELLO) {
      this.#state.note(`${this.number} <- a message before the hello`);
      this.hangUp();
      return;
    }
    const { message } = decodeMessage(4, bytes);
    this.#state.note(`${this.number} <- ${formatMessage(message)}`);
    const offered = message.type === 'hello' ? message.versions : null;
    const version = negotiateVersion(versions, bytes.readUInt8(0), offered);
    if (version === null) {
      const data = Buffer.from('no common version');
      this.sendBytes(errorReply(versions[0] ?? 1, 'OFPHFC_INCOMPATIBLE', 0, data));
      this.hangUp();
      return;
    }
    this.#version = version;
    this.#monitors = new FlowMonitors(this.#state.flowTable, version);
    this.#state.note(`${this.number} speaks ${versionName(version)}`);
  }
}

/** Formats a message of the switch, decoded by the library, with its version if it differs from the connection's. */
function describe(agreed: OpenFlowVersion | undefined, bytes: Buffer): string {
  const version = bytes.readUInt8(0);
  const text = formatMessage(decodeMessage(isOpenFlowVersion(version) ? version : 4, bytes).message);
  const isOther = agreed !== undefined && version !== agreed;
  return isOther ? `${text} (${versionName(version)})` : text;
}
