// The state machine of one connection: when to connect, to probe and to disconnect, without socket and clock (modelled
// on OVS's lib/reconnect.c). The keeper reports events with their time, calls `run` for the action that is due, and calls
// it again at `deadlineMs`.
//
//     void ──enable──► backoff ──run: connect──► connecting ──connected──► active ◄──activity──┐
//                         ▲                          │                        │ silent          │
//                         ├──────connectFailed───────┘                        ▼ run: probe      │
//                         └───────────────────disconnected──────────────── active/idle ────────┘

import { Backoff } from './backoff.ts';

/** States of a connection as `Reconnect` sees it. */
export type ReconnectState = 'void' | 'backoff' | 'connecting' | 'active' | 'idle';

/** An action for the owner of the connection. Each is returned once. */
export type ReconnectAction = 'connect' | 'probe' | 'disconnect';

/** Options of `Reconnect`. By default backoff and probe interval are those of OVS. */
export interface ReconnectOptions {
  /** The backoff after a first failure; it doubles with each further one. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Time limit of an attempt, the handshake of the protocol included. */
  readonly connectTimeoutMs: number;
  /** Silence after which the peer is probed, and silence after the probe that ends the connection. 0 disables probes. */
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

  /** The current backoff between attempts; 0 when the next attempt is due immediately. */
  get backoffMs(): number {
    return this.#backoff.delayMs;
  }

  /** Starts: a connection is desired from now on. */
  enable(nowMs: number): void {
    if (this.#state !== 'void') {
      return;
    }
    this.#backoff.reset();
    this.#enter('backoff', nowMs);
  }

  /** Stops: no connection is desired; the owner closes the current one. */
  disable(nowMs: number): void {
    this.#enter('void', nowMs);
  }

  /** Resets the backoff and makes an attempt due immediately; a connection or attempt in progress is to be closed first. */
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

  /** The owner has started an attempt. */
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

  /** The connection or the attempt has ended, on either side. */
  disconnected(nowMs: number): void {
    if (this.#state === 'void' || this.#state === 'backoff') {
      return;
    }
    const wasUp = this.#state === 'active' || this.#state === 'idle';
    if (this.#disconnectWanted) {
      this.#backoff.reset();
    } else {
      if (wasUp && this.#activityMs - this.#connectedMs >= this.#backoff.delayMs) {
        // Only a connection that lasted resets the backoff: a peer may accept connections and close them immediately.
        this.#backoff.reset();
      }
      this.#backoff.grow();
    }
    this.#enter('backoff', nowMs);
  }

  /** Returns when `run` is to be called next unless an event comes first; undefined: not before an event. */
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

  /** Returns the action that is due, if any. */
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
