// Reconciles one object with its desired state: one reconciliation runs at a time, events only trigger it, and one that
// fails is retried after a pause that doubles. What a reconciliation does is up to its owner.

import { Backoff } from '../runtime/backoff.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import { safeText } from '../runtime/safe-text.ts';

/** Options of `Reconciler`, with their defaults beside them. */
export interface ReconcilerOptions {
  readonly clock: Clock;
  /** Reads the actual state and changes what differs from the desired state; rejects when that did not work. */
  readonly reconcile: () => Promise<void>;
  /** Called with each failure, before the retry is scheduled. */
  readonly onFailure: (error: Error) => void;
  /** First pause after a failure. Default: 100 ms. */
  readonly retryMinMs?: number;
  /** Longest pause. Default: 5,000 ms. */
  readonly retryMaxMs?: number;
}

/** idle: nothing to do; running: reconciling; backoff: the last one failed and will be retried; stopped: for good. */
export type ReconcilerState = 'idle' | 'running' | 'backoff' | 'stopped';

export interface ReconcilerStatus {
  readonly state: ReconcilerState;
  /** Reconciliations since the start, with those that failed. */
  readonly reconcileCount: number;
  readonly failureCount: number;
  /** Why the last reconciliation failed; undefined when it succeeded. */
  readonly lastError: string | undefined;
}

export class Reconciler {
  readonly #options: Required<ReconcilerOptions>;
  readonly #idleWaiters: (() => void)[] = [];
  #state: ReconcilerState = 'idle';
  #isDirty = false;
  #timer: Timer | undefined;
  readonly #backoff: Backoff;
  #reconcileCount = 0;
  #failureCount = 0;
  #failure: Error | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = { retryMinMs: 100, retryMaxMs: 5000, ...options };
    this.#backoff = new Backoff(this.#options.retryMinMs, this.#options.retryMaxMs);
  }

  /** Schedules a reconciliation: at once, or after the running one. Ends the pause after a failure: something has changed. */
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

  /** Resolves when none is running or scheduled: the last one succeeded, or the reconciler is stopped. */
  async settled(): Promise<void> {
    if (this.#state === 'running' || this.#state === 'backoff') {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  /** Stops scheduling; a reconciliation that is running ends by itself, and its result is ignored. */
  stop(): void {
    this.#timer?.cancel();
    this.#enter('stopped');
  }

  /** Why the last reconciliation failed; undefined when it succeeded. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  status(): ReconcilerStatus {
    return {
      state: this.#state,
      reconcileCount: this.#reconcileCount,
      failureCount: this.#failureCount,
      lastError: this.#failure && safeText(this.#failure.message),
    };
  }

  async #run(): Promise<void> {
    this.#enter('running');
    while (this.#isDirty && this.#isRunning()) {
      this.#isDirty = false;
      this.#reconcileCount += 1;
      try {
        await this.#options.reconcile();
        this.#failure = undefined;
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
    this.#failure = error;
    this.#enter('backoff');
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
