// Paces dumps of all flows of a bridge, where no flow monitor shows them whole: one at a time, each followed by a pause, so
// that they take at most a tenth of the switch's time.
//
//   state     meaning                                                    next states
//   --------  ---------------------------------------------------------  ----------------------
//   unread    flows may have changed since they were last read           reading
//   reading   they are being read                                        read, outdated, unread
//   outdated  they are being read, and may have changed since the start  unread
//   read      no change is known since they were read                    unread

import type { Clock, Timer } from '../runtime/clock.ts';

/** Pause between two dumps, as a multiple of the duration of the last one. */
const PAUSE_FACTOR = 9;

/** See the head of the file. */
type DumpState = 'unread' | 'reading' | 'outdated' | 'read';

export class DumpPacer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #state: DumpState = 'unread';
  #nextMs = 0;
  #timer: Timer | undefined;

  /** `onDue` is called when a requested dump is due. */
  constructor({ clock, onDue }: { readonly clock: Clock; readonly onDue: () => void }) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get isUnread(): boolean {
    return this.#state === 'unread';
  }

  /** Flows may have changed: the next reconciliation reads them. */
  outdate(): void {
    this.#enter(this.#state === 'reading' || this.#state === 'outdated' ? 'outdated' : 'unread');
  }

  /** Flows may have changed: `onDue` is called as soon as the pause has ended. */
  request(): void {
    this.outdate();
    const waitMs = this.#nextMs - this.#nowMs();
    if (this.#state === 'outdated') {
      // The pause begins when the running dump has ended.
      return;
    }
    if (waitMs <= 0) {
      this.#onDue();
    } else {
      this.#timer ??= this.#clock.setTimer(() => {
        this.#timer = undefined;
        this.#onDue();
      }, waitMs);
    }
  }

  /** Reads all flows by `dump`, and measures its duration. */
  async read(dump: () => Promise<void>): Promise<void> {
    const startMs = this.#nowMs();
    this.#enter('reading');
    try {
      await dump();
    } catch (error) {
      this.#enter('unread');
      throw error;
    }
    this.#nextMs = this.#nowMs() + (this.#nowMs() - startMs) * PAUSE_FACTOR;
    const isOutdated = this.#state === 'outdated';
    this.#enter(this.#state === 'reading' ? 'read' : 'unread');
    if (isOutdated) {
      this.request();
    }
  }

  /** The connection has ended: flows are read again over the next one. */
  forget(): void {
    this.#enter('unread');
    this.stop();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #enter(state: DumpState): void {
    this.#state = state;
  }

  #nowMs(): number {
    return this.#clock.monotonicMicros() / 1000;
  }
}
