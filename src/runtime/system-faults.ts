// Errors of the operating system that no caller waits for: a file or a socket that cannot be opened because all file descriptors are
// used, a stream that fails. None of them ends the daemon: `run` notes here what would be an uncaught exception, and the part that
// failed goes on with its next event or period. Periodic tasks set their next timer before they begin.

import type { Logger } from './log.ts';
import { reasonOf } from './sentence.ts';

/** What has failed so far; plain data. */
export interface SystemFaultsStatus {
  readonly count: number;
  /** The last error; undefined before the first. */
  readonly last: string | undefined;
}

export class SystemFaults {
  readonly #log: Logger;
  #count = 0;
  #last: string | undefined;

  constructor(log: Logger) {
    this.#log = log.limited('system error');
  }

  /** Counts and logs an error of the system; returns false for any other, which is a bug. */
  note(thrown: unknown): boolean {
    if (!isSystemError(thrown)) {
      return false;
    }
    this.#count += 1;
    this.#last = reasonOf(thrown);
    this.#log.warn(`system error: ${this.#last}; it is tried again`);
    return true;
  }

  /** Returns the result of `read`; counts an error of the system and returns `otherwise`. Throws any other error. */
  attempt<Value>(read: () => Value, otherwise: Value): Value {
    try {
      return read();
    } catch (error) {
      if (!this.note(error)) {
        throw error;
      }
      return otherwise;
    }
  }

  status(): SystemFaultsStatus {
    return { count: this.#count, last: this.#last };
  }
}

/** Whether a system call failed: Node.js names it in the error. */
function isSystemError(thrown: unknown): boolean {
  return thrown instanceof Error && 'syscall' in thrown && typeof thrown.syscall === 'string';
}
