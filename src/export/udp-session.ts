// A collector over UDP (RFC 7011, section 10.3): one connected socket, so that the kernel tells us of ICMP errors and
// needs no lookup per message. Nothing that happens to the collector ends the session: errors are counted, a host name
// that does not resolve is tried again, and messages that cannot wait any longer are dropped and counted.

import { createSocket, type Socket } from 'node:dgram';
import { lookup as lookupSystem } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type {
  CollectorSession,
  CollectorTarget,
  SessionListener,
  SessionState,
  SessionStatus,
} from './collector-session.ts';
import { MessageQueue } from './message-queue.ts';

/** A resolved host; `family` is 4 or 6. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Limits and intervals of a UDP session. */
export interface UdpSessionOptions {
  /** Messages that may wait while the socket does not take them; what comes then is dropped and counted. */
  readonly sendBacklogMax: number;
  /** The kernel's send buffer in bytes; the kernel caps it (net.core.wmem_max). */
  readonly sendBufferBytes: number;
  /** The pause after a failed attempt to resolve or connect, doubled each time up to the maximum. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How often a host name is resolved again while connected. */
  readonly resolveIntervalMs: number;
  /** How long `stop` waits for what still waits. */
  readonly drainMs: number;
}

export const UDP_SESSION_DEFAULTS: UdpSessionOptions = {
  sendBacklogMax: 1024,
  sendBufferBytes: 1_048_576,
  retryMinMs: 1000,
  retryMaxMs: 60_000,
  resolveIntervalMs: 300_000,
  drainMs: 2000,
};

/** What a UDP session needs from outside. */
export interface UdpSessionParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Default: the system's resolver. */
  readonly lookup?: (host: string) => Promise<ResolvedAddress>;
}

/** A session over UDP. */
export class UdpSession implements CollectorSession {
  readonly isReliable = false;
  readonly #target: CollectorTarget;
  readonly #listener: SessionListener;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #lookup: (host: string) => Promise<ResolvedAddress>;
  readonly #options: UdpSessionOptions;
  readonly #queue: MessageQueue;
  readonly #errors: Record<string, number> = {};
  #state: SessionState = 'closed';
  #socket: Socket | undefined;
  #onSent: ((error: Error | null) => void) | undefined;
  /** Grows whenever the connection changes; what was started for an older one is ignored when it reports. */
  #generation = 0;
  /** How many of the queue's messages the socket has been given. */
  #handedCount = 0;
  #address: string | undefined;
  #retryMs: number;
  #timer: Timer | undefined;
  #drained: (() => void) | undefined;
  #stopping: Promise<void> | undefined;
  #messagesSent = 0;
  #recordsSent = 0;
  #octetsSent = 0;
  #messagesLost = 0;
  #recordsLost = 0;
  #connectionCount = 0;
  #lastError: string | undefined;

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: UdpSessionParts,
    options: Partial<UdpSessionOptions> = {},
  ) {
    this.#target = target;
    this.#listener = listener;
    this.#clock = parts.clock;
    this.#log = parts.log.limited(`collector ${target.text}`);
    this.#lookup = parts.lookup ?? lookupSystem;
    this.#options = { ...UDP_SESSION_DEFAULTS, ...options };
    this.#queue = new MessageQueue(this.#options.sendBacklogMax);
    this.#retryMs = this.#options.retryMinMs;
  }

  get backlogCount(): number {
    return this.#queue.count;
  }

  start(): void {
    if (this.#state !== 'closed' || this.#stopping !== undefined) return;
    void this.#connect();
  }

  send(bytes: Buffer, size: number, recordCount: number): boolean {
    if (this.#state !== 'open' && this.#state !== 'connecting') {
      this.#countLost(recordCount);
      return false;
    }
    if (!this.#queue.push(bytes, size, recordCount)) {
      this.#countLost(recordCount);
      this.#countError('BACKLOG', `${this.#queue.count} messages already wait to be sent`);
      return false;
    }
    if (this.#state === 'open') this.#handOver();
    return true;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#drainAndClose();
    return this.#stopping;
  }

  status(): SessionStatus {
    return {
      state: this.#state,
      transport: 'udp',
      address: this.#address,
      messagesSent: this.#messagesSent,
      recordsSent: this.#recordsSent,
      octetsSent: this.#octetsSent,
      messagesLost: this.#messagesLost,
      recordsLost: this.#recordsLost,
      errors: { ...this.#errors },
      lastError: this.#lastError,
      backlogCount: this.#queue.count,
      connectionCount: this.#connectionCount,
    };
  }

  async #connect(): Promise<void> {
    this.#state = 'connecting';
    const generation = this.#nextGeneration();
    let socket: Socket | undefined;
    try {
      const resolved = await this.#lookup(this.#target.host);
      if (generation !== this.#generation) return;
      socket = createSocket({
        type: resolved.family === 6 ? 'udp6' : 'udp4',
        sendBufferSize: this.#options.sendBufferBytes,
      });
      await connectSocket(socket, this.#target.port, resolved.address);
      if (generation !== this.#generation) {
        socket.close();
        return;
      }
      this.#opened(socket, resolved.address, generation);
    } catch (error) {
      socket?.close();
      if (generation === this.#generation) this.#connectFailed(error);
    }
  }

  #opened(socket: Socket, address: string, generation: number): void {
    this.#socket = socket;
    this.#address = address;
    this.#connectionCount += 1;
    this.#retryMs = this.#options.retryMinMs;
    this.#onSent = (error) => {
      if (generation === this.#generation) this.#sendEnded(error);
    };
    socket.on('error', (error) => {
      if (generation === this.#generation) this.#troubled(error);
    });
    // Nothing is expected from a collector; reading it keeps the receive buffer from filling.
    socket.on('message', () => {});
    if (this.#state !== 'closing') this.#state = 'open';
    this.#handOver();
    if (isIP(this.#target.host) === 0) this.#scheduleResolve();
    this.#log.debug(`Messages for collector ${this.#target.text} go to ${address} by UDP.`);
  }

  #connectFailed(error: unknown): void {
    const message = messageOf(error);
    this.#countError(codeOf(error), message);
    this.#dropQueue();
    if (this.#state === 'closing') {
      this.#drained?.();
      return;
    }
    this.#state = 'waiting';
    this.#log.warn(
      `Collector ${this.#target.text} cannot be reached (${message}); trying again in ${this.#retryMs / 1000} s.`,
    );
    this.#timer = this.#clock.setTimer(() => {
      this.#listener.restarted();
      void this.#connect();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, this.#options.retryMaxMs);
  }

  /** Gives the socket every message that it does not have yet; it copies nothing and sends in order. */
  #handOver(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    while (this.#handedCount < this.#queue.count) {
      const bytes = this.#queue.bytesAt(this.#handedCount);
      this.#handedCount += 1;
      socket.send(bytes, this.#onSent);
    }
  }

  /** The socket ends its sends in the order in which they began, so this is the oldest message. */
  #sendEnded(error: Error | null): void {
    const size = this.#queue.sizeAt(0);
    const recordCount = this.#queue.recordCountAt(0);
    this.#queue.shift();
    this.#handedCount -= 1;
    if (error === null) {
      this.#messagesSent += 1;
      this.#recordsSent += recordCount;
      this.#octetsSent += size;
    } else {
      this.#countLost(recordCount);
      this.#troubled(error, size);
    }
    if (this.#queue.count === 0) this.#drained?.();
  }

  /** ICMP errors arrive here too; they tell of a message that left earlier, and the socket goes on working. */
  #troubled(error: Error, size?: number): void {
    const code = codeOf(error);
    this.#countError(code, error.message);
    const isTooLong = code === 'EMSGSIZE';
    // A message that is too long says nothing about the collector; any other error may mean that it was away.
    if (!isTooLong) this.#listener.templatesDoubtful();
    const advice =
      isTooLong && size !== undefined
        ? ` The message of ${size} bytes is too long for the network path; lower --message-bytes-max.`
        : '';
    this.#log.warn(`Sending to collector ${this.#target.text} failed: ${reasonOf(error)}.${advice}`);
  }

  #scheduleResolve(): void {
    this.#timer = this.#clock.setTimer(() => void this.#resolveAgain(), this.#options.resolveIntervalMs);
  }

  /** A name that fails to resolve keeps its last address; one with another address gets a new connection. */
  async #resolveAgain(): Promise<void> {
    const generation = this.#generation;
    try {
      const { address } = await this.#lookup(this.#target.host);
      if (generation !== this.#generation || this.#state !== 'open') return;
      if (address !== this.#address) {
        this.#log.info(`Collector ${this.#target.text} moves from ${this.#address} to ${address}.`);
        void this.#closeSocket();
        this.#dropQueue();
        this.#listener.restarted();
        void this.#connect();
        return;
      }
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#countError(codeOf(error), messageOf(error));
    }
    this.#scheduleResolve();
  }

  async #drainAndClose(): Promise<void> {
    this.#timer?.cancel();
    const canDrain = this.#state === 'open' || this.#state === 'connecting';
    this.#state = 'closing';
    if (canDrain && this.#queue.count > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.setTimer(resolve, this.#options.drainMs);
        this.#drained = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#timer?.cancel();
    this.#nextGeneration();
    this.#dropQueue();
    this.#state = 'closed';
    await this.#closeSocket();
  }

  #closeSocket(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#address = undefined;
    if (socket === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      socket.close(resolve);
    });
  }

  #nextGeneration(): number {
    this.#generation += 1;
    return this.#generation;
  }

  #dropQueue(): void {
    while (this.#queue.count > 0) {
      this.#countLost(this.#queue.recordCountAt(0));
      this.#queue.shift();
    }
    this.#handedCount = 0;
  }

  #countLost(recordCount: number): void {
    this.#messagesLost += 1;
    this.#recordsLost += recordCount;
  }

  #countError(code: string, message: string): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
    this.#lastError = message;
  }
}

function connectSocket(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, address, (error?: Error) => {
      socket.off('error', reject);
      if (error) reject(error);
      else resolve();
    });
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
