// A collector over TCP (RFC 7011, section 10.4). What the collector has not taken yet waits here, up to a limit, so that a
// slow one loses nothing. When the connection ends, what waits is lost and counted, and the next connection begins anew:
// with sequence numbers from 0, and templates first.

import { connect, type Socket } from 'node:net';
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
import { codeOf, SessionTraffic } from './session-traffic.ts';

/** Limits and intervals of a TCP session. */
export interface TcpSessionOptions {
  /** Messages that may wait while the collector does not take them; what comes then is dropped and counted. */
  readonly sendBacklogMax: number;
  /** How long resolving and connecting may take. */
  readonly connectTimeoutMs: number;
  /** The pause after a failed attempt or a connection that ended, doubled each time up to the maximum. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How long `stop` waits for what still waits. */
  readonly drainMs: number;
}

export const TCP_SESSION_DEFAULTS: TcpSessionOptions = {
  sendBacklogMax: 4096,
  connectTimeoutMs: 10_000,
  retryMinMs: 1000,
  retryMaxMs: 60_000,
  drainMs: 2000,
};

/** What a TCP session needs from outside. */
export interface TcpSessionParts {
  readonly clock: Clock;
  readonly log: Logger;
}

/** A session over TCP. */
export class TcpSession implements CollectorSession {
  readonly isReliable = true;
  readonly #target: CollectorTarget;
  readonly #listener: SessionListener;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: TcpSessionOptions;
  readonly #traffic: SessionTraffic;
  #state: SessionState = 'closed';
  /** The present connection or attempt; what another one reports is ignored. */
  #socket: Socket | undefined;
  #isCorked = false;
  #retryMs: number;
  #timer: Timer | undefined;
  #stopping: Promise<void> | undefined;
  #connectionCount = 0;

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: TcpSessionParts,
    options: Partial<TcpSessionOptions> = {},
  ) {
    this.#target = target;
    this.#listener = listener;
    this.#clock = parts.clock;
    this.#log = parts.log.limited(`collector ${target.text}`);
    this.#options = { ...TCP_SESSION_DEFAULTS, ...options };
    this.#traffic = new SessionTraffic(this.#options.sendBacklogMax);
    this.#retryMs = this.#options.retryMinMs;
  }

  get backlogCount(): number {
    return this.#traffic.backlogCount;
  }

  start(): void {
    if (this.#state === 'closed' && this.#stopping === undefined) {
      this.#connect();
    }
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
      state: this.#state,
      transport: 'tcp',
      address: this.#socket?.remoteAddress,
      ...this.#traffic.status(),
      connectionCount: this.#connectionCount,
    };
  }

  #connect(): void {
    this.#state = 'connecting';
    const socket = connect({ host: this.#target.host, port: this.#target.port, keepAlive: true });
    this.#socket = socket;
    this.#isCorked = false;
    this.#timer = this.#clock.setTimer(
      () => this.#ended(socket, new Error(`no connection within ${this.#options.connectTimeoutMs} ms`)),
      this.#options.connectTimeoutMs,
    );
    socket.once('connect', () => this.#opened(socket));
    socket.on('error', (error) => this.#ended(socket, error));
    socket.on('close', () => this.#ended(socket, new Error('the collector closed the connection')));
    // Nothing is expected from a collector; reading shows that it closes.
    socket.resume();
  }

  #opened(socket: Socket): void {
    if (socket !== this.#socket) {
      return;
    }
    this.#timer?.cancel();
    this.#connectionCount += 1;
    this.#retryMs = this.#options.retryMinMs;
    if (this.#state !== 'closing') {
      this.#state = 'open';
    }
    this.#handOver();
    this.#log.debug(`Messages for collector ${this.#target.text} go to ${socket.remoteAddress} by TCP.`);
  }

  /** Gives the socket what it does not have yet; all of a turn goes out in one call of the system. */
  #handOver(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.connecting) {
      return;
    }
    if (!this.#isCorked) {
      this.#isCorked = true;
      socket.cork();
      process.nextTick(() => {
        if (socket === this.#socket) {
          this.#isCorked = false;
        }
        socket.uncork();
      });
    }
    for (let bytes = this.#traffic.hand(); bytes !== undefined; bytes = this.#traffic.hand()) {
      socket.write(bytes, (error) => {
        if (socket === this.#socket && !error) {
          this.#traffic.sent(true);
        }
      });
    }
  }

  /** The attempt has failed, or the connection is over. */
  #ended(socket: Socket, reason: Error): void {
    if (socket !== this.#socket) {
      return;
    }
    this.#timer?.cancel();
    this.#socket = undefined;
    socket.destroy();
    this.#traffic.countError(codeOf(reason), reason.message);
    this.#traffic.drop();
    if (this.#state === 'closing') {
      return;
    }
    this.#state = 'waiting';
    this.#log.warn(
      `The connection to collector ${this.#target.text} cannot be used (${reasonOf(reason)}); ` +
        `trying again in ${this.#retryMs / 1000} s.`,
    );
    this.#timer = this.#clock.setTimer(() => {
      this.#listener.restarted();
      this.#connect();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, this.#options.retryMaxMs);
  }

  async #drainAndClose(): Promise<void> {
    const canDrain = this.#state === 'open' || this.#state === 'connecting';
    if (!canDrain) {
      this.#timer?.cancel();
    }
    this.#state = 'closing';
    if (canDrain) {
      await this.#traffic.emptied(this.#clock, this.#options.drainMs);
    }
    this.#timer?.cancel();
    const socket = this.#socket;
    const isDrained = this.#traffic.backlogCount === 0;
    this.#socket = undefined;
    this.#traffic.drop();
    this.#state = 'closed';
    if (socket !== undefined) {
      await closed(socket, isDrained);
    }
  }
}

/** Ends a connection, in order when everything was taken; a collector that takes nothing is not waited for. */
function closed(socket: Socket, isDrained: boolean): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    if (isDrained && !socket.connecting) {
      socket.destroySoon();
    } else {
      socket.destroy();
    }
  });
}
