// One daemon of a round, from its start to its end: the gaps that it has logged, and what its counters have as lost. It is asked for
// its status some times a second, because the counters of a bridge end with the bridge, and those of a killed daemon with it.

import type { SampledBridgeStatus } from '../../src/control/sampled-bridge-status.ts';
import { PROBABILITY_ALL } from '../../src/intake/sampler.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { askUnixctl } from '../../src/unixctl/client.ts';
import type { Daemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import type { Interval, LoggedGap } from './account.ts';

const ASK_TIMEOUT_MS = 3000;
const READY_TIMEOUT_MS = 500;
const LOGGED_MS_MAX = 15_000;
/** Milliseconds from a change of the probability to the change of the hook, at most. */
const HOOK_CHANGE_MS = 100;
/** The clause of a gap in the log, and its cause in the status (src/control/sampling-gaps.ts). */
const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/taken over/u, 'take-over'],
  [/was added/u, 'added'],
  [/handed back/u, 'hand-back'],
  [/start or a failover/u, 'start'],
  [/connection/u, 'connection'],
  [/hook/u, 'hook'],
];

/** What a daemon's counters have, of one bridge or of several with the same name. */
export interface LifeCounts {
  /** Packets that did not reach the daemon, or were not sent to the collector. */
  readonly lost: number;
  readonly recordsSent: number;
}

export class DaemonLife {
  readonly daemon: Daemon;
  /** When the process was started and when it was alive, by its first line. */
  readonly spawnedMs: number;
  /** Times in which the datapath sampled fewer packets than all. */
  readonly thinned: Interval[] = [];
  readonly #target: string;
  readonly #gaps = new Map<string, LoggedGap>();
  /** Counters of bridges that have ended. */
  readonly #ended: LifeCounts[] = [];
  #counts: LifeCounts = { lost: 0, recordsSent: 0 };
  /** Samples that the daemon lost because too many waited; those of the time of another one are in the gap of that or exported. */
  #droppedUnproved = 0;
  #row: string | undefined;
  #isSamplingAll = false;
  #isThinned = false;
  #askedMs: number;

  constructor(daemon: Daemon, spawnedMs: number, target: string) {
    this.daemon = daemon;
    this.spawnedMs = spawnedMs;
    this.#askedMs = spawnedMs;
    this.#target = target;
  }

  /** Reads the status; returns false if the daemon does not answer. */
  async ask(): Promise<boolean> {
    const beforeMs = this.#askedMs;
    try {
      const text = await this.#command('status', ['json'], ASK_TIMEOUT_MS);
      this.#askedMs = performance.now();
      const { bridges, database } = JSON.parse(text) as StatusDocument;
      this.#droppedUnproved = database.samples.dropped;
      this.#note(bridges[0], beforeMs);
      return true;
    } catch {
      // It has ended, is frozen, or does not listen yet: the last answer counts.
      return false;
    }
  }

  /** Whether the daemon says that it is ready, and samples every packet. */
  async isReady(sampler: 'packet-in' | 'datapath'): Promise<boolean> {
    try {
      await this.#command('ready', [], READY_TIMEOUT_MS);
    } catch {
      // It has a reason not to be, or does not answer.
      return false;
    }
    return sampler === 'packet-in' || this.#isSamplingAll;
  }

  /** When it was first alive. */
  get aliveMs(): number {
    const [first = ''] = this.daemon.log.split('|', 1);
    const ms = Date.parse(first);
    return Number.isNaN(ms) ? this.spawnedMs : toMonotonic(ms, this.spawnedMs);
  }

  /** Returns when a line was logged that matches; undefined if none was. */
  loggedMs(pattern: RegExp): number | undefined {
    const line = this.daemon.log.split('\n').find((text) => pattern.test(text));
    return line === undefined
      ? undefined
      : toMonotonic(Date.parse(line.split('|', 1)[0] ?? ''), this.spawnedMs);
  }

  /** Resolves when it has logged a line that matches. */
  async logged(pattern: RegExp): Promise<void> {
    await waitFor(() => this.loggedMs(pattern) !== undefined, {
      what: `a daemon logs ${pattern}`,
      timeoutMs: LOGGED_MS_MAX,
    });
  }

  counts(): LifeCounts {
    const all = [...this.#ended, this.#counts];
    return {
      lost:
        all.reduce((sum, { lost }) => sum + lost, 0) +
        samplesNotArrived(this.daemon.log) +
        this.#droppedUnproved,
      recordsSent: all.reduce((sum, { recordsSent }) => sum + recordsSent, 0),
    };
  }

  /** The gaps of the log, and those of the status where the log could not be written. */
  gaps(): readonly LoggedGap[] {
    for (const [, ms, start, reason = ''] of this.daemon.log.matchAll(
      /not sampled for (\d+) ms from (\S+): (.*)$/gmu,
    )) {
      const cause = CAUSES.find(([pattern]) => pattern.test(reason))?.[1] ?? reason;
      this.#addGap(cause, start ?? '', Number(ms));
    }
    return [...this.#gaps.values()];
  }

  #command(command: string, args: readonly string[], timeoutMs: number): Promise<string> {
    return askUnixctl(this.daemon.controlPath, command, args, { clock: systemClock, timeoutMs });
  }

  #note(bridge: SampledBridgeStatus | undefined, beforeMs: number): void {
    const row = bridge?.sampling?.ipfixRow;
    if (row !== this.#row) {
      this.#ended.push(this.#counts);
      this.#counts = { lost: 0, recordsSent: 0 };
      this.#row = row;
    }
    if (bridge === undefined) {
      return;
    }
    for (const { cause, start, milliseconds } of bridge.gaps.recent) {
      this.#addGap(cause, start, milliseconds);
    }
    const { samplerChoice, session } = bridge;
    const isByDatapath = samplerChoice?.sampler === 'datapath';
    const isWhole = samplerChoice?.probability === PROBABILITY_ALL;
    this.#isSamplingAll = isByDatapath && isWhole && session.hook === 'installed';
    const isThinned = isByDatapath && !isWhole;
    if (isThinned || this.#isThinned) {
      this.thinned.push({ fromMs: beforeMs, toMs: this.#askedMs + HOOK_CHANGE_MS });
    }
    this.#isThinned = isThinned;
    this.#counts = countsOf(bridge, this.#target);
  }

  #addGap(cause: string, start: string, milliseconds: number): void {
    const fromMs = toMonotonic(Date.parse(start), this.spawnedMs);
    this.#gaps.set(`${start} ${milliseconds}`, { cause, fromMs, toMs: fromMs + milliseconds });
  }
}

/** Returns what of the bridge's packets the counters have as lost, and the records that were sent to one collector. */
function countsOf({ sampling }: SampledBridgeStatus, target: string): LifeCounts {
  if (sampling === undefined) {
    return { lost: 0, recordsSent: 0 };
  }
  const { sampler, datapath, exporter } = sampling;
  const collector = exporter.collectors.find((each) => each.target === target);
  return {
    lost:
      sampler.droppedByMeter +
      sampler.lost +
      (datapath === undefined ? 0 : datapath.packets.lost + datapath.tail.samples) +
      exporter.samplesIgnored +
      exporter.cache.refused +
      (collector?.recordsLost ?? 0),
    recordsSent: collector?.recordsSent ?? 0,
  };
}

/** What a stop has logged of samples that were sent last. */
function samplesNotArrived(log: string): number {
  return [...log.matchAll(/: ([\d,]+) samples? of the datapath sent last and not arrived/gu)].reduce(
    (sum, [, count]) => sum + Number(count?.replaceAll(',', '')),
    0,
  );
}

const HOUR_MS = 3_600_000;

/** Returns wall time as monotonic time. The wall clock of a daemon may be off by whole hours, by which a round steps it. */
function toMonotonic(wallMs: number, nearMs: number): number {
  const ms = wallMs - (Date.now() - performance.now());
  return ms - Math.round((ms - nearMs) / HOUR_MS) * HOUR_MS;
}
