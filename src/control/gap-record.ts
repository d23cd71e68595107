// Gaps: times in which the daemon should have exported packets and they did not reach it. What all gaps have in common: their
// causes, and what operators see of them.

import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';

/** Why packets did not reach the daemon, as a clause for the log. */
const GAP_REASONS = {
  start: 'the hook was being confirmed after a start or a failover',
  'take-over': 'its row was taken over from ovs-vswitchd',
  added: "it was added, and its row was the daemon's already",
  connection: 'the connection to the bridge was lost',
  hook: 'the hook or its meter was removed or modified',
  redirection: 'its row had not been redirected to the daemon',
  replaced: 'a row of it was replaced or removed after the last sign of life of the daemon that was active',
  'hand-back': 'its row was handed back to ovs-vswitchd',
} as const;

export type GapCause = keyof typeof GAP_REASONS;

/** The causes that are not the daemon's own doing; they are logged as warnings. */
const FAULTS: ReadonlySet<GapCause> = new Set(['connection', 'hook', 'replaced']);

/** One gap; plain data. */
export interface SamplingGap {
  readonly cause: GapCause;
  /** Wall time, ISO 8601 in UTC. */
  readonly start: string;
  readonly milliseconds: number;
}

/** The gaps of a bridge or a collector set, for operators. */
export interface SamplingGapsStatus {
  readonly count: number;
  /** Seconds of all gaps together. */
  readonly seconds: number;
  /** The last ones, oldest first. */
  readonly recent: readonly SamplingGap[];
}

/** Milliseconds that ovs-vswitchd may take until its datapath follows a change of a flow or of an IPFIX row. */
export const SETTLE_MS = 30;
/** Gaps that the status has. */
const RECENT_COUNT = 16;

/** What becomes of the rows of a bridge whose sampling ends: they are handed back, have ended, or are another daemon's now. */
export type Leaving = 'handed back' | 'ended' | 'left to another';

/** A gap that has ended. */
export interface EndedGap {
  readonly cause: GapCause;
  /** Wall time, ISO 8601 in UTC. */
  readonly start: string;
  readonly micros: number;
}

/** What is known when an export begins; times are monotonic. */
export interface ExportBegin {
  /** Whether its row was to be taken over until now. */
  readonly isTakenOver: boolean;
  /** When the last changes of rows were sent. */
  readonly writtenMicros: number;
  /** When the previous daemon has ended; undefined: the export begins while this one is active. */
  readonly previousEndMicros: number | undefined;
}

/** A gap that has not ended. */
export interface BegunGap {
  readonly cause: GapCause;
  /** Monotonic. */
  readonly sinceMicros: number;
}

/** Returns the gap with which an export begins. */
export function firstGap(
  { isTakenOver, writtenMicros, previousEndMicros }: ExportBegin,
  clock: Clock,
): BegunGap {
  if (isTakenOver) {
    return { cause: 'take-over', sinceMicros: writtenMicros };
  }
  return previousEndMicros === undefined
    ? { cause: 'added', sinceMicros: clock.monotonicMicros() }
    : { cause: 'start', sinceMicros: previousEndMicros };
}

/** Ends a gap `settleMs` from now. */
export function endGap(clock: Clock, { cause, sinceMicros }: BegunGap, settleMs: number): EndedGap {
  return { cause, ...spanOf(clock, sinceMicros, clock.monotonicMicros() + settleMs * 1000) };
}

/** Describes the time between two monotonic times. */
export function spanOf(
  clock: Clock,
  sinceMicros: number,
  untilMicros: number,
): Pick<EndedGap, 'start' | 'micros'> {
  const agoMicros = clock.monotonicMicros() - sinceMicros;
  const start = new Date((clock.wallMicros() - agoMicros) / 1000).toISOString();
  return { start, micros: untilMicros - sinceMicros };
}

/** Logs a gap; `where` is the bridge, or its collector sets. */
export function logGap(log: Logger, where: string, { cause, start, micros }: EndedGap): void {
  const level = FAULTS.has(cause) ? 'warn' : 'info';
  log[level](`${where} not sampled for ${Math.ceil(micros / 1000)} ms from ${start}: ${GAP_REASONS[cause]}`);
}

/** The gaps until now. */
export class GapRecord {
  #recent: readonly SamplingGap[] = [];
  #count = 0;
  #totalMicros = 0;

  add({ cause, start, micros }: EndedGap): void {
    this.#count += 1;
    this.#totalMicros += micros;
    const milliseconds = Math.ceil(micros / 1000);
    this.#recent = [...this.#recent.slice(1 - RECENT_COUNT), { cause, start, milliseconds }];
  }

  status(): SamplingGapsStatus {
    return { count: this.#count, seconds: this.#totalMicros / 1e6, recent: this.#recent };
  }
}
