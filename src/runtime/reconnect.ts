// When to connect, to probe and to give up: a state machine without socket and clock (the idea is OVS's
// lib/reconnect.c). The keeper reports events with the time, and asks `run` what to do and `deadlineMs` when to ask next.
//
//     void ──enable──► backoff ──run: connect──► connecting ──connected──► active ◄──activity──┐
//                         ▲                          │                        │ silent          │
//                         ├──────connectFailed───────┘                        ▼ run: probe      │
//                         └───────────────────disconnected──────────────── active/idle ────────┘

import { Backoff } from './backoff.ts';

/** States of a connection as `Reconnect` sees it. */
export type ReconnectState = 'void' | 'backoff' | 'connecting' | 'active' | 'idle';

/** What the owner of the connection is asked to do. Each is said once. */
export type ReconnectAction = 'connect' | 'probe' | 'disconnect';

/** Options of `Reconnect`; pauses and probes are OVS's by default. */
export interface ReconnectOptions {
  /** The pause after a failure; it doubles from one failure to the next. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** An attempt that takes longer, the handshake of the protocol included, has failed. */
  readonly connectTimeoutMs: number;
  /** Silence after which the peer is asked for a sign of life, and silence after that which ends the connection. 0: never. */
  readonly probeIntervalMs: number;
}

export const RECONNECT_DEFAULTS: ReconnectOptions = {
  backoffMinMs: 1000,
  backoffMaxMs: 8000,
  connectTimeoutMs: 10_000,
  probeIntervalMs: 5000,
};

/** The state machine of one connection. All times are milliseconds of a monotonic clock. */
export class Reconnect {
  readonly #options: ReconnectOptions;
  #state: ReconnectState = 'void';
  #enteredMs = 0;
  readonly #backoff: Backoff;
  #connectedMs = 0;
  #activityMs = 0;
  #disconnectWanted = false;

  constructor(options: Partial<ReconnectOptions> = {}) {
    this.#options = { ...RECONNECT_DEFAULTS, ...options };
    this.#backoff = new Backoff(this.#options.backoffMinMs, this.#options.backoffMaxMs);
  }

  get state(): ReconnectState {
    return this.#state;
  }

  /** The present pause between attempts: 0 when the next attempt is due at once. */
  get backoffMs(): number {
    return this.#backoff.delayMs;
  }

  /** Wants a connection from now on. */
  enable(nowMs: number): void {
    if (this.#state !== 'void') {
      return;
    }
    this.#backoff.reset();
    this.#enter('backoff', nowMs);
  }

  /** Wants none any more; the owner closes what it has. */
  disable(nowMs: number): void {
    this.#enter('void', nowMs);
  }

  /** The next attempt is due at once, with the shortest pause after it; a connection that is up or under way is given up. */
  reconnectNow(nowMs: number): void {
    if (this.#state === 'void') {
      return;
    }
    this.#backoff.reset();
    if (this.#state !== 'backoff') {
      this.#disconnectWanted = true;
    } else {
      this.#enteredMs = nowMs;
    }
  }

  /** The owner has begun an attempt. */
  connecting(nowMs: number): void {
    this.#enter('connecting', nowMs);
  }

  connected(nowMs: number): void {
    this.#connectedMs = nowMs;
    this.#activityMs = nowMs;
    this.#enter('active', nowMs);
  }

  /** The peer has sent something. */
  activity(nowMs: number): void {
    this.#activityMs = nowMs;
    if (this.#state === 'idle') {
      this.#enter('active', nowMs);
    }
  }

  connectFailed(nowMs: number): void {
    this.disconnected(nowMs);
  }

  /** The connection, or the attempt, has ended, whoever ended it. */
  disconnected(nowMs: number): void {
    if (this.#state === 'void' || this.#state === 'backoff') {
      return;
    }
    const wasUp = this.#state === 'active' || this.#state === 'idle';
    if (this.#disconnectWanted) {
      this.#backoff.reset();
    } else {
      if (wasUp && this.#activityMs - this.#connectedMs >= this.#backoff.delayMs) {
        // A peer that stayed for longer than the last delay does more than accept and hang up.
        this.#backoff.reset();
      }
      this.#backoff.grow();
    }
    this.#enter('backoff', nowMs);
  }

  /** When `run` may have something to say, if nothing happens before; undefined: never. */
  deadlineMs(): number | undefined {
    if (this.#disconnectWanted) {
      return this.#enteredMs;
    }
    switch (this.#state) {
      case 'void':
        return undefined;
      case 'backoff':
        return this.#enteredMs + this.#backoff.delayMs;
      case 'connecting':
        return this.#enteredMs + this.#options.connectTimeoutMs;
      case 'active':
        return this.#probing(this.#activityMs);
      case 'idle':
        return this.#probing(this.#enteredMs);
    }
  }

  /** What is to be done now. */
  run(nowMs: number): ReconnectAction | undefined {
    const deadline = this.deadlineMs();
    if (deadline === undefined || nowMs < deadline) {
      return undefined;
    }
    switch (this.#state) {
      case 'void':
        return undefined;
      case 'backoff':
        return 'connect';
      case 'active':
        if (this.#disconnectWanted) {
          return 'disconnect';
        }
        this.#enter('idle', nowMs);
        return 'probe';
      case 'connecting':
      case 'idle':
        return 'disconnect';
    }
  }

  #probing(sinceMs: number): number | undefined {
    return this.#options.probeIntervalMs === 0 ? undefined : sinceMs + this.#options.probeIntervalMs;
  }

  #enter(state: ReconnectState, nowMs: number): void {
    this.#state = state;
    this.#enteredMs = nowMs;
    this.#disconnectWanted = false;
  }
}
