// Tracks whether a bridge can be sampled, on which the ownership of its rows depends: they are adopted once it is sampled, and
// handed back to ovs-vswitchd when it has not been sampled for longer than a restart of OVS takes.
//
//   state       meaning                                                     next states
//   ----------  ----------------------------------------------------------  --------------------
//   pending     not sampled, for less than HAND_BACK_MS                      sampled, impossible
//   sampled     everything that is desired was installed, and still is but   pending
//               for flows that are being rewritten
//   impossible  not sampled, and no progress made, for HAND_BACK_MS          sampled

import type { Clock, Timer } from '../runtime/clock.ts';

/** See the head of the file. */
export type Samplability = 'pending' | 'sampled' | 'impossible';

/** The progress towards the desired state. Rewriting many flows takes seconds, during which the hook samples already. */
export type SamplingProgress = 'installed' | 'rewriting flows' | 'missing';

/** Milliseconds without sampling after which adopted rows are handed back to ovs-vswitchd. */
export const HAND_BACK_MS = 30_000;

export class SamplingWatch {
  readonly #clock: Clock;
  readonly #onChange: (isDecisive: boolean) => void;
  #state: Samplability = 'pending';
  #timer: Timer | undefined;
  #isStopped = false;

  /**
   * `onChange` is called when the state has changed; `isDecisive`: it was or is `impossible`, on which it depends for which rows
   * bridges are programmed.
   */
  constructor(options: { readonly clock: Clock; readonly onChange: (isDecisive: boolean) => void }) {
    const { clock, onChange } = options;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#arm();
  }

  get state(): Samplability {
    return this.#state;
  }

  /** Updates the progress. Call it whenever it may have changed. */
  update(progress: SamplingProgress): void {
    if (this.#isStopped) {
      return;
    }
    if (progress === 'installed') {
      this.#timer?.cancel();
      this.#enter('sampled');
    } else if (progress === 'rewriting flows' && this.#state === 'pending') {
      this.#arm();
    } else if (progress === 'missing' && this.#state === 'sampled') {
      this.#arm();
      this.#enter('pending');
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(() => this.#enter('impossible'), HAND_BACK_MS);
  }

  #enter(state: Samplability): void {
    if (state !== this.#state) {
      const isDecisive = state === 'impossible' || this.#state === 'impossible';
      this.#state = state;
      this.#onChange(isDecisive);
    }
  }
}
