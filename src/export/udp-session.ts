// A collector over UDP (RFC 7011, section 10.3): one connected socket, so that the kernel tells us of ICMP errors and
// needs no lookup per message. Nothing that happens to the collector ends the session: errors are counted, a host name
// that does not resolve is tried again, and messages that cannot wait any longer are dropped and counted.

import { createSocket, type Socket } from 'node:dgram';
import { lookup as lookupSystem } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type {
  CollectorSession,
  CollectorTarget,
  SessionListener,
  SessionState,
  SessionStatus,
} from './collector-session.ts';
import { faultText } from './fault-text.ts';
import { PathHealth } from './path-health.ts';
import { codeOf, SessionTraffic } from './session-traffic.ts';

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
  /** How long no error must have followed a message until a failing collector counts as open again. */
  readonly recoveryMs: number;
  /** How long `stop` waits for what still waits. */
  readonly drainMs: number;
}

export const UDP_SESSION_DEFAULTS: UdpSessionOptions = {
  sendBacklogMax: 1024,
  sendBufferBytes: 1_048_576,
  retryMinMs: 1000,
  retryMaxMs: 60_000,
  resolveIntervalMs: 300_000,
  // When nobody answers ARP, Linux says so after 3 s.
  recoveryMs: 5000,
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
  readonly #traffic: SessionTraffic;
  readonly #health: PathHealth;
  #state: SessionState = 'closed';
  #socket: Socket | undefined;
  #onSent: ((error: Error | null) => void) | undefined;
  /** Grows whenever the connection changes; what was started for an older one is ignored when it reports. */
  #generation = 0;
  #address: string | undefined;
  #retryMs: number;
  #timer: Timer | undefined;
  #stopping: Promise<void> | undefined;
  #connectionCount = 0;

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
    this.#traffic = new SessionTraffic(this.#options.sendBacklogMax);
    this.#health = new PathHealth(this.#clock, this.#options.recoveryMs);
    this.#retryMs = this.#options.retryMinMs;
  }

  get backlogCount(): number {
    return this.#traffic.backlogCount;
  }

  start(): void {
    if (this.#state !== 'closed' || this.#stopping !== undefined) {
      return;
    }
    void this.#connect();
  }

  send(bytes: Buffer, size: number, recordCount: number): boolean {
    if (this.#state !== 'open' && this.#state !== 'connecting') {
      this.#traffic.countLost(recordCount);
      return false;
    }
    if (!this.#traffic.add(bytes, size, recordCount)) {
      return false;
    }
    if (this.#state === 'open') {
      this.#handOver();
    }
    return true;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#drainAndClose();
    return this.#stopping;
  }

  status(): SessionStatus {
    return {
      state: this.#state === 'open' && this.#health.isFailing ? 'failing' : this.#state,
      transport: 'udp',
      address: this.#address,
      ...this.#traffic.status(),
      connectionCount: this.#connectionCount,
    };
  }

  async #connect(): Promise<void> {
    this.#state = 'connecting';
    const generation = this.#nextGeneration();
    let socket: Socket | undefined;
    try {
      const resolved = await this.#lookup(this.#target.host);
      if (generation !== this.#generation) {
        return;
      }
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
      if (generation === this.#generation) {
        this.#connectFailed(error);
      }
    }
  }

  #opened(socket: Socket, address: string, generation: number): void {
    this.#socket = socket;
    this.#address = address;
    this.#connectionCount += 1;
    this.#retryMs = this.#options.retryMinMs;
    this.#onSent = (error) => {
      if (generation === this.#generation) {
        this.#sendEnded(error);
      }
    };
    socket.on('error', (error) => {
      if (generation === this.#generation) {
        this.#troubled(error);
      }
    });
    // Nothing is expected from a collector; reading it keeps the receive buffer from filling.
    socket.on('message', () => {});
    if (this.#state !== 'closing') {
      this.#state = 'open';
    }
    this.#handOver();
    if (isIP(this.#target.host) === 0) {
      this.#scheduleResolve();
    }
    this.#log.debug(`Messages for collector ${this.#target.text} go to ${address} by UDP.`);
  }

  #connectFailed(error: unknown): void {
    const message = faultText(error);
    this.#traffic.countError(codeOf(error), message);
    this.#traffic.drop();
    if (this.#state === 'closing') {
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
    if (socket === undefined) {
      return;
    }
    for (let bytes = this.#traffic.hand(); bytes !== undefined; bytes = this.#traffic.hand()) {
      socket.send(bytes, this.#onSent);
    }
  }

  #sendEnded(error: Error | null): void {
    const { size } = this.#traffic.sent(error === null);
    if (error === null) {
      this.#health.sent();
    } else {
      this.#troubled(error, size);
    }
  }

  /** ICMP errors arrive here too; they tell of a message that left earlier, and the socket goes on working. */
  #troubled(error: Error, size?: number): void {
    const code = codeOf(error);
    this.#traffic.countError(code, faultText(error));
    const isTooLong = code === 'EMSGSIZE';
    // A message that is too long says nothing about the collector; any other error may mean that it was away.
    if (!isTooLong) {
      this.#listener.templatesDoubtful();
      this.#health.failed();
    }
    const advice = isTooLong && size !== undefined ? ` It had ${size} bytes; lower --message-bytes-max.` : '';
    this.#log.warn(`Sending to collector ${this.#target.text} failed: ${faultText(error)}.${advice}`);
  }

  #scheduleResolve(): void {
    this.#timer = this.#clock.setTimer(() => void this.#resolveAgain(), this.#options.resolveIntervalMs);
  }

  /** A name that fails to resolve keeps its last address; one with another address gets a new connection. */
  async #resolveAgain(): Promise<void> {
    const generation = this.#generation;
    try {
      const { address } = await this.#lookup(this.#target.host);
      if (generation !== this.#generation || this.#state !== 'open') {
        return;
      }
      if (address !== this.#address) {
        this.#log.info(`Collector ${this.#target.text} moves from ${this.#address} to ${address}.`);
        void this.#closeSocket();
        this.#traffic.drop();
        this.#listener.restarted();
        void this.#connect();
        return;
      }
    } catch (error) {
      if (generation !== this.#generation) {
        return;
      }
      this.#traffic.countError(codeOf(error), faultText(error));
    }
    this.#scheduleResolve();
  }

  async #drainAndClose(): Promise<void> {
    this.#timer?.cancel();
    const canDrain = this.#state === 'open' || this.#state === 'connecting';
    this.#state = 'closing';
    if (canDrain) {
      await this.#traffic.emptied(this.#clock, this.#options.drainMs);
    }
    this.#timer?.cancel();
    this.#nextGeneration();
    this.#traffic.drop();
    this.#state = 'closed';
    await this.#closeSocket();
  }

  #closeSocket(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#address = undefined;
    if (socket === undefined) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      socket.close(resolve);
    });
  }

  #nextGeneration(): number {
    this.#generation += 1;
    return this.#generation;
  }
}

function connectSocket(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, address, (error?: Error) => {
      socket.off('error', reject);
      if (error) {
        reject(error);
      } else {
        resolve();
      }
    });
  });
}
