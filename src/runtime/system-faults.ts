// Errors of the operating system that no caller waits for: a file or a socket that cannot be opened because all file descriptors are
// used, a stream that fails. None of them ends the daemon: `run` notes here what would be an uncaught exception, and the part that
// failed goes on with its next event or period. Periodic tasks set their next timer before they begin.

import type { Logger } from './log.ts';
import { reasonOf } from './sentence.ts';

/** What has failed so far; plain data. */
export interface SystemFaultsStatus {
  readonly count: number;
  /** The same by system call, as Node.js names it, such as `open`. */
  readonly calls: Readonly<Record<string, number>>;
  /** The last error; undefined before the first. */
  readonly last: string | undefined;
}

export class SystemFaults {
  readonly #log: Logger;
  #count = 0;
  readonly #calls: Record<string, number> = {};
  #last: string | undefined;

  constructor(log: Logger) {
    this.#log = log.limited('system error');
  }

  /** Counts and logs an error of the system; returns false for any other, which is a bug. */
  note(thrown: unknown): boolean {
    const call = systemCallOf(thrown);
    if (call === undefined) {
      return false;
    }
    this.#count += 1;
    this.#calls[call] = (this.#calls[call] ?? 0) + 1;
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
    return { count: this.#count, calls: { ...this.#calls }, last: this.#last };
  }
}

/** Returns the system call that failed, which Node.js names in the error; undefined for any other error. */
function systemCallOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'syscall' in thrown && typeof thrown.syscall === 'string'
    ? thrown.syscall
    : undefined;
}
