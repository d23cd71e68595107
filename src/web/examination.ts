// The findings of the doctor for the page: examines on demand, one examination at a time and with a pause between two, because it
// connects to the database, to the bridges and to collectors.

import type { ShownCondition } from '../report/traffic/overview-document.ts';
import type { Clock } from '../runtime/clock.ts';

/** A finding of the doctor. */
export type Finding = Omit<ShownCondition, 'command'>;
/** Examines everything as `ovs-ipfix doctor` does. */
export type Examine = () => Promise<readonly Finding[]>;

/** Milliseconds after an examination in which its findings are the answer to further requests. */
export const EXAMINATION_PAUSE_MS = 30_000;

/** The result of an examination. */
export interface ExaminationResult {
  /** When it ended, on the monotonic clock. */
  readonly micros: number;
  readonly findings: readonly Finding[];
}

export class Examination {
  readonly #examine: Examine;
  readonly #clock: Clock;
  #running: Promise<ExaminationResult> | undefined;
  #last: ExaminationResult | undefined;

  constructor(examine: Examine, clock: Clock) {
    this.#examine = examine;
    this.#clock = clock;
  }

  /** Returns the findings of the last seconds, or of a new examination; rejects when it fails. */
  find(): Promise<ExaminationResult> {
    const last = this.#last;
    if (last !== undefined && this.#clock.monotonicMicros() - last.micros < EXAMINATION_PAUSE_MS * 1000) {
      return Promise.resolve(last);
    }
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<ExaminationResult> {
    const findings = await this.#examine();
    this.#last = { micros: this.#clock.monotonicMicros(), findings };
    return this.#last;
  }
}
