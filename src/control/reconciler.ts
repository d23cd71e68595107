// Runs passes of reconciliation for one object, one at a time: an event only triggers a pass, and a pass that fails is
// retried after a pause that doubles. What a pass does is up to its owner.

import { Backoff } from '../runtime/backoff.ts';
import type { Clock, Timer } from '../runtime/clock.ts';

/** Options of `Reconciler`, with their defaults beside them. */
export interface ReconcilerOptions {
  readonly clock: Clock;
  /** Reads the actual state and changes what differs from the desired state; rejects when that did not work. */
  readonly pass: () => Promise<void>;
  /** Called with each failure, before the retry is scheduled. */
  readonly onFailure: (error: Error) => void;
  /** First pause after a failure. Default: 100 ms. */
  readonly retryMinMs?: number;
  /** Longest pause. Default: 5,000 ms. */
  readonly retryMaxMs?: number;
}

/** idle: nothing to do; running: a pass is running; waiting: one failed and will be retried; stopped: for good. */
export type ReconcilerState = 'idle' | 'running' | 'waiting' | 'stopped';

export interface ReconcilerStatus {
  readonly state: ReconcilerState;
  readonly passCount: number;
  readonly failureCount: number;
  /** Why the newest pass failed; undefined after one that worked. */
  readonly lastError: string | undefined;
}

export class Reconciler {
  readonly #options: Required<ReconcilerOptions>;
  readonly #idleWaiters: (() => void)[] = [];
  #state: ReconcilerState = 'idle';
  #isDirty = false;
  #timer: Timer | undefined;
  readonly #backoff: Backoff;
  #passCount = 0;
  #failureCount = 0;
  #lastError: string | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = { retryMinMs: 100, retryMaxMs: 5000, ...options };
    this.#backoff = new Backoff(this.#options.retryMinMs, this.#options.retryMaxMs);
  }

  /** Schedules a pass: at once, or after the present one. A pause after a failure ends, since something has changed. */
  trigger(): void {
    if (this.#state === 'stopped') {
      return;
    }
    this.#isDirty = true;
    if (this.#state !== 'running') {
      this.#timer?.cancel();
      void this.#run();
    }
  }

  /** Resolves when no pass is running or due: the newest one succeeded, or the reconciler is stopped. */
  async settled(): Promise<void> {
    if (this.#state === 'running' || this.#state === 'waiting') {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  /** Starts no pass any more; one that is running ends by itself, and its outcome is ignored. */
  stop(): void {
    this.#timer?.cancel();
    this.#enter('stopped');
  }

  status(): ReconcilerStatus {
    return {
      state: this.#state,
      passCount: this.#passCount,
      failureCount: this.#failureCount,
      lastError: this.#lastError,
    };
  }

  async #run(): Promise<void> {
    this.#enter('running');
    while (this.#isDirty && this.#isRunning()) {
      this.#isDirty = false;
      this.#passCount += 1;
      try {
        await this.#options.pass();
        this.#lastError = undefined;
        this.#backoff.reset();
      } catch (thrown) {
        if (this.#isRunning()) {
          this.#fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
        }
        return;
      }
    }
    if (this.#isRunning()) {
      this.#enter('idle');
    }
  }

  #isRunning(): boolean {
    return this.#state === 'running';
  }

  #fail(error: Error): void {
    this.#failureCount += 1;
    this.#lastError = error.message;
    this.#enter('waiting');
    this.#timer = this.#options.clock.setTimer(() => this.trigger(), this.#backoff.grow());
    this.#options.onFailure(error);
  }

  #enter(state: ReconcilerState): void {
    this.#state = state;
    if (state === 'idle' || state === 'stopped') {
      for (const resolve of this.#idleWaiters.splice(0)) {
        resolve();
      }
    }
  }
}
