// Tests whether samples of the datapath reach the daemon: 127.0.0.1 is that of the network namespace of ovs-vswitchd, which a
// container may not share. A probe is a packet-out whose only action samples it. Pure but for the time, which its caller passes.

import type { PathState } from './sampler-choice.ts';

/** Milliseconds without an answer to a probe before the path has failed. */
export const PATH_SILENCE_MS = 2000;
/** Milliseconds between two probes of a path that is not good. */
export const PROBE_INTERVAL_MS = 500;
/** Least number of samples that should have arrived before silence is tested by a probe. */
const EXPECTED_MIN = 20;

export class PathTest {
  #state: PathState = 'untested';
  /** When the first probe without an answer was sent. */
  #askedMs: number | undefined;
  #probedMs = Number.NEGATIVE_INFINITY;
  #heardCount = 0;
  /** Samples that the hook's counters let expect since the last record. */
  #expected = 0;

  get state(): PathState {
    return this.#state;
  }

  /** Whether the path is good and neither silence nor a new connection asks for a test. */
  get isSettled(): boolean {
    return this.#state === 'good' && this.#askedMs === undefined && this.#expected < EXPECTED_MIN;
  }

  /** The connection is new: the path is tested again, and keeps its state until then. `records` is as for `check`. */
  restart(records: number): void {
    this.#heardCount = records;
    this.#askedMs = undefined;
    this.#probedMs = Number.NEGATIVE_INFINITY;
    this.#expected = EXPECTED_MIN;
  }

  /** The rows of the daemon are others, or none; what arrived before does not count. */
  forget(records: number): void {
    this.#state = 'untested';
    this.restart(records);
  }

  /**
   * Takes the number of records since the start, and that of samples that should have been sent since the last call. Returns
   * whether a probe is to be sent now.
   */
  check(records: number, expected: number, nowMs: number): boolean {
    if (records !== this.#heardCount) {
      this.#heardCount = records;
      this.#state = 'good';
      this.#askedMs = undefined;
      this.#expected = 0;
      return false;
    }
    this.#expected += expected;
    if (this.isSettled) {
      return false;
    }
    if (this.#askedMs !== undefined && nowMs - this.#askedMs >= PATH_SILENCE_MS) {
      this.#state = 'failed';
    }
    if (nowMs - this.#probedMs < PROBE_INTERVAL_MS) {
      return false;
    }
    this.#askedMs ??= nowMs;
    this.#probedMs = nowMs;
    return true;
  }
}
