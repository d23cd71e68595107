// Packets that a datapath could not hand to ovs-vswitchd, because the queue to it was full: flow misses and samples alike, so their
// number is an upper bound of the samples that were lost there. ovs-vswitchd is asked every ten seconds, as
// `ovs-appctl dpctl/show` does, as long as a bridge is sampled by its datapath.

import { dirname, join } from 'node:path';
import type { DatapathUpcalls } from '../report/status-document.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { readPid } from '../runtime/pid-file.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { askUnixctl } from './client.ts';

export interface DatapathUpcallsOptions {
  readonly clock: Clock;
  /** Returns the answer of ovs-vswitchd to `dpctl/show`; undefined if it does not run. */
  readonly ask: () => Promise<string | undefined>;
  readonly log: Logger;
  /** Whether a bridge is sampled by its datapath. */
  readonly isNeeded: () => boolean;
}

/** Milliseconds between two requests. */
export const UPCALLS_INTERVAL_MS = 10_000;

export class DatapathUpcallsReader {
  readonly #options: DatapathUpcallsOptions;
  /** Numbers at the first reading, by datapath; those of a restarted ovs-vswitchd begin at 0. */
  readonly #first = new Map<string, number>();
  #upcalls: readonly DatapathUpcalls[] = [];
  #timer: Timer | undefined;

  constructor(options: DatapathUpcallsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.setTimer(() => void this.#read(), UPCALLS_INTERVAL_MS);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** What each datapath has lost since the first reading; empty before it. */
  upcalls(): readonly DatapathUpcalls[] {
    return this.#upcalls;
  }

  async #read(): Promise<void> {
    const { ask, log, isNeeded } = this.#options;
    try {
      const answer = isNeeded() ? await ask() : undefined;
      if (answer !== undefined) {
        this.#note(parseLostUpcalls(answer));
      }
    } catch (error) {
      // An ovs-vswitchd that does not answer is reported by its bridges.
      log.debug(`upcalls that datapaths have lost: ${reasonOf(error)}`);
    }
    if (this.#timer !== undefined) {
      this.start();
    }
  }

  #note(lost: ReadonlyMap<string, number>): void {
    this.#upcalls = [...lost].map(([datapath, count]) => {
      const first = Math.min(this.#first.get(datapath) ?? count, count);
      this.#first.set(datapath, first);
      return { datapath, lost: count - first };
    });
  }
}

/**
 * Runs `dpctl/show` in ovs-vswitchd, whose control socket is in the folder of its pid file; resolves with undefined if the pid file
 * does not exist. Rejects as `askUnixctl` does.
 */
export async function askDatapaths(switchPidFile: string, clock: Clock): Promise<string | undefined> {
  const pid = readPid(switchPidFile);
  const path = join(dirname(switchPidFile), `ovs-vswitchd.${pid}.ctl`);
  return pid === undefined ? undefined : askUnixctl(path, 'dpctl/show', [], { clock });
}

/** Reads the number of lost upcalls of each datapath from the answer of `dpctl/show`, such as "lookups: hit:7 missed:5 lost:0". */
function parseLostUpcalls(text: string): ReadonlyMap<string, number> {
  const lost = new Map<string, number>();
  let datapath = '';
  for (const line of text.split('\n')) {
    datapath = /^(\S+):$/u.exec(line)?.[1] ?? datapath;
    const count = /^\s+lookups:.*\blost:(\d+)/u.exec(line)?.[1];
    if (count !== undefined) {
      lost.set(datapath, Number(count));
    }
  }
  return lost;
}
