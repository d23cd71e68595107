// What the sessions over all transports share: the state, the messages in transit, and the attempts to connect with a backoff
// between them. A subclass owns the socket: it connects, hands messages over, and reports what happens to the connection.
//
//     closed ──start──► connecting ──opened──► open ──stop──► closing ──► closed
//                         ▲    │                 │
//                         │    ▼ failed          │ failed
//                         └── backoff ◄──────────┘

import { Backoff } from '../runtime/backoff.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import { counted } from '../runtime/counted.ts';
import { codeOf } from '../runtime/error-code.ts';
import type { Logger } from '../runtime/log.ts';
import { settlesWithin } from '../runtime/within.ts';
import type {
  CollectorSession,
  CollectorTarget,
  SessionHealth,
  SessionListener,
  SessionState,
  SessionStatus,
} from './collector-session.ts';
import { faultText } from './fault-text.ts';
import type { PathMtus } from './path-mtu.ts';
import { SessionTraffic } from './session-traffic.ts';

/** Limits and intervals of a session over any transport. */
export interface SocketSessionOptions {
  /** Messages that may wait while the socket does not accept them; the newest ones beyond are dropped and counted. */
  readonly sendBacklogMax: number;
  /** The backoff after a failed attempt or a connection that ended: it doubles up to the maximum. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How long `stop` waits for the messages in transit. */
  readonly drainMs: number;
}

export const SESSION_DEFAULTS = { retryMinMs: 1000, retryMaxMs: 60_000, drainMs: 2000 } as const;

/** What a session needs from outside. */
export interface SocketSessionParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** The paths of the process; without them sessions do not know the MTU of theirs. */
  readonly pathMtus?: PathMtus | undefined;
  /** Called when the collector's address, or the error that keeps it from being connected to, is another one. */
  readonly onAddress?: (() => void) | undefined;
}

export abstract class SocketSession implements CollectorSession {
  abstract readonly isReliable: boolean;
  protected abstract readonly transport: 'udp' | 'tcp' | 'tls' | 'file';
  protected readonly target: CollectorTarget;
  protected readonly listener: SessionListener;
  protected readonly clock: Clock;
  protected readonly log: Logger;
  protected readonly traffic: SessionTraffic;
  readonly #drainMs: number;
  readonly #backoff: Backoff;
  #state: SessionState = 'closed';
  #timer: Timer | undefined;
  #stopping: Promise<number> | undefined;
  #connectionCount = 0;
  /** Whether the last attempt has failed, or the last connection has ended. */
  #hasFailed = false;
  readonly #onAddress: (() => void) | undefined;
  /** The address or error code that `onAddress` was called for. */
  #reported: string | undefined;

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: SocketSessionParts,
    options: SocketSessionOptions,
  ) {
    this.target = target;
    this.listener = listener;
    this.clock = parts.clock;
    this.log = parts.log.limited(`collector ${target.text}`);
    this.traffic = new SessionTraffic(options.sendBacklogMax);
    this.#drainMs = options.drainMs;
    this.#onAddress = parts.onAddress;
    this.#backoff = new Backoff(options.retryMinMs, options.retryMaxMs);
  }

  /** Starts an attempt, which ends with `opened` or `failed`. */
  protected abstract connect(): void;

  /** Gives the socket every message that it does not have yet, if it is connected. */
  protected abstract handOver(): void;

  /** Detaches the socket at once, so that it reports nothing more; resolves when it is closed. What still waits then is lost. */
  protected abstract close(isDrained: boolean): Promise<void>;

  /** The address of the collector while connected. */
  protected abstract get address(): string | undefined;

  /** The address that messages are sent from, while connected. */
  protected abstract get sourceAddress(): string | undefined;

  /** Whether the network reports that messages do not arrive. */
  protected get isFailing(): boolean {
    return false;
  }

  /** Whether messages wait for a connection. */
  protected get hasWaiting(): boolean {
    return false;
  }

  /** Resolves when everything has been sent. */
  protected drained(): Promise<void> {
    return this.traffic.emptied();
  }

  /** Called when an attempt has failed or the connection has ended. */
  protected connectionLost(): void {
    this.traffic.drop('notConnected');
  }

  /** Counts what waits as lost at the end; returns its records. */
  protected dropWaiting(): number {
    return this.traffic.drop('stop');
  }

  get backlogCount(): number {
    return this.traffic.backlogCount;
  }

  get health(): SessionHealth {
    if (this.#hasFailed || this.isFailing) {
      return 'failed';
    }
    return this.#state === 'open' ? 'works' : 'unknown';
  }

  get isConnected(): boolean {
    return this.#state === 'open';
  }

  start(): void {
    if (this.#state === 'closed' && this.#stopping === undefined) {
      this.#attempt();
    }
  }

  send(bytes: Buffer, size: number, recordCount: number): boolean {
    if (this.#state !== 'open' && this.#state !== 'connecting') {
      this.traffic.countLost(recordCount, 'notConnected');
      return false;
    }
    if (!this.traffic.add(bytes, size, recordCount)) {
      return false;
    }
    if (this.#state === 'open') {
      this.handOver();
    }
    return true;
  }

  stop(timeoutMs = this.#drainMs): Promise<number> {
    this.#stopping ??= this.#drainAndClose(Math.min(timeoutMs, this.#drainMs));
    return this.#stopping;
  }

  status(): SessionStatus {
    return {
      state: this.#state === 'open' && this.isFailing ? 'failing' : this.#state,
      transport: this.transport,
      address: this.address,
      sourceAddress: this.sourceAddress,
      ...this.traffic.status(),
      connectionCount: this.#connectionCount,
    };
  }

  protected get isBackingOff(): boolean {
    return this.#state === 'backoff';
  }

  /** Whether the session ends or has ended. */
  protected get isEnding(): boolean {
    return this.#stopping !== undefined;
  }

  protected get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Replaces the session's timer. */
  protected setTimer(callback: () => void, delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.clock.setTimer(callback, delayMs);
  }

  /** To be called when the attempt has succeeded. */
  protected opened(): void {
    this.#timer?.cancel();
    this.#connectionCount += 1;
    this.#hasFailed = false;
    this.#backoff.reset();
    if (this.#state !== 'closing') {
      this.#state = 'open';
    }
    this.handOver();
    this.#report(this.address);
    this.log.debug(`collector ${this.target.text}: open (${this.transport}, address ${this.address})`);
  }

  /** To be called when the attempt has failed or the connection has ended, with the socket detached. */
  protected failed(error: unknown): void {
    this.#timer?.cancel();
    const text = faultText(error);
    this.traffic.countError(codeOf(error), text);
    this.connectionLost();
    this.#hasFailed = true;
    if (this.#state === 'closing') {
      return;
    }
    this.#state = 'backoff';
    const delayMs = this.#backoff.grow();
    this.log.warn(`collector ${this.target.text}: ${text}, retrying in ${delayMs / 1000} s`);
    this.setTimer(() => this.reconnect(), delayMs);
    this.#report(codeOf(error));
  }

  /** Starts an attempt after a connection or an attempt that is over. */
  protected reconnect(): void {
    this.listener.restarted();
    this.#attempt();
  }

  #report(now: string | undefined): void {
    if (now !== this.#reported) {
      this.#reported = now;
      this.#onAddress?.();
    }
  }

  #attempt(): void {
    this.#state = 'connecting';
    this.connect();
  }

  async #drainAndClose(drainMs: number): Promise<number> {
    if (this.#state === 'backoff' && this.hasWaiting) {
      // The collector may be back.
      this.#timer?.cancel();
      this.reconnect();
    }
    const canDrain = this.#state === 'open' || this.#state === 'connecting';
    if (!canDrain) {
      this.#timer?.cancel();
    }
    this.#state = 'closing';
    if (canDrain) {
      await settlesWithin(this.clock, drainMs, this.drained());
    }
    this.#timer?.cancel();
    await this.close(!this.hasWaiting && this.traffic.backlogCount === 0);
    const recordsLost = this.dropWaiting();
    if (recordsLost > 0) {
      this.log.warn(
        `collector ${this.target.text}: closed, and ${counted(recordsLost, 'record')} still waited: ${recordsLost === 1 ? 'it is' : 'they are'} lost`,
      );
    }
    this.#state = 'closed';
    return recordsLost;
  }
}
