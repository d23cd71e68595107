// Whether messages over UDP reach anybody, as far as a sender can know: routers and hosts answer with ICMP errors, some time
// after the message. So a collector counts as failing from an error on, until a message has been followed by none for a while.

import type { Clock } from '../runtime/clock.ts';

/** See the head of the file. */
export class PathHealth {
  readonly #clock: Clock;
  readonly #recoveryMicros: number;
  #hasFailed = false;
  /** When the first message since the last error left; 0 when none has. */
  #sentMicros = 0;

  /** @param recoveryMs how long no error must have followed a message until all is well again */
  constructor(clock: Clock, recoveryMs: number) {
    this.#clock = clock;
    this.#recoveryMicros = recoveryMs * 1000;
  }

  /** An error has come. */
  failed(): void {
    this.#hasFailed = true;
    this.#sentMicros = 0;
  }

  /** A message has left. */
  sent(): void {
    if (this.#hasFailed && this.#sentMicros === 0) {
      this.#sentMicros = this.#clock.monotonicMicros();
    }
  }

  get isFailing(): boolean {
    if (!this.#hasFailed) {
      return false;
    }
    return this.#sentMicros === 0 || this.#clock.monotonicMicros() - this.#sentMicros < this.#recoveryMicros;
  }
}
