// Whether messages over UDP arrive, as far as a sender can know: routers and hosts answer with ICMP errors some time after the
// message. A path is failing from an error on, until no error has followed a message for the recovery time.

import type { Clock } from '../runtime/clock.ts';

export class PathHealth {
  readonly #clock: Clock;
  readonly #recoveryMicros: number;
  #hasFailed = false;
  /** When the first message after the last error was sent; 0 when none was. */
  #sentMicros = 0;

  /** @param recoveryMs how long no error must follow a message until the path is not failing any more */
  constructor(clock: Clock, recoveryMs: number) {
    this.#clock = clock;
    this.#recoveryMicros = recoveryMs * 1000;
  }

  /** Notes an error. */
  failed(): void {
    this.#hasFailed = true;
    this.#sentMicros = 0;
  }

  /** Notes a message that was sent. */
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
