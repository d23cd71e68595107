// The account of one round: what became of each numbered packet. Pure. A packet that was not exported is explained by a gap that a
// daemon has logged, by the outage of a process that no other replaced, or by a counter of the product; everything else is
// unexplained. Times are milliseconds of this process's monotonic clock.

/** A packet that the switch has accepted, some time between these two. */
export interface Injection {
  readonly number: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A gap that a daemon has logged. */
export interface LoggedGap extends Interval {
  readonly cause: string;
}

export interface RoundFacts {
  readonly injections: readonly Injection[];
  /** How many records there are of each number, by number. */
  readonly exported: ReadonlyMap<number, number>;
  readonly gaps: readonly LoggedGap[];
  /** Times in which ovs-vswitchd did not forward. */
  readonly switchOutages: readonly Interval[];
  /** Times in which no daemon was alive that should have exported. */
  readonly daemonOutages: readonly Interval[];
  /**
   * Times that do not count towards the length of a gap: before the end of a daemon, with whose last sign of life the gap of the next
   * one begins, and without a database, without which ovs-vswitchd serves no OpenFlow.
   */
  readonly uncounted: readonly Interval[];
  /** Times in which the datapath sampled fewer packets than all, as the status has it. */
  readonly thinned: readonly Interval[];
  /** Packets that counters of the product have as lost. */
  readonly counted: number;
}

export interface RoundAccount {
  readonly injected: number;
  readonly exported: number;
  readonly inGaps: number;
  readonly withoutDaemon: number;
  readonly notSelected: number;
  readonly counted: number;
  /** Neither exported nor explained; below 0 when counters have more than is missing. */
  readonly unexplained: number;
  /** Numbers that are exported more than once, outside of changes of the exporter. */
  readonly doubled: number;
  /** Those at changes of the exporter between ovs-vswitchd and a daemon. */
  readonly doubledAtChanges: number;
  /** Milliseconds of the gaps in which ovs-vswitchd forwarded and a daemon was alive: the longest, and all together. */
  readonly longestGapMs: number;
  readonly gapMs: number;
  readonly gapCount: number;
  /** The first of the packets that are exported more than once. */
  readonly firstDoubled: readonly Injection[];
  /** The first packets without an explanation. */
  readonly firstUnexplained: readonly Injection[];
}

/** Milliseconds that a packet may take from the answer of ovs-vswitchd that accepts it to the daemon. */
export const TRANSIT_MS = 25;
/** Changes of the exporter, at which docs/takeover.md allows a double export. */
const CHANGES = new Set(['take-over', 'hand-back', 'start']);
const SHOWN = 5;

export function accountOf(facts: RoundFacts): RoundAccount {
  const counts = {
    inGaps: 0,
    withoutDaemon: 0,
    notSelected: 0,
    exported: 0,
    doubledAtChanges: 0,
  };
  const rest: Injection[] = [];
  const gaps = gapsOf(facts);
  const doubles: Injection[] = [];
  const changes = gaps.filter(({ cause }) => CHANGES.has(cause));
  for (const injection of facts.injections) {
    const records = facts.exported.get(injection.number) ?? 0;
    if (records > 0) {
      counts.exported += 1;
      if (records > 1 && isIn(injection, changes)) {
        counts.doubledAtChanges += 1;
      } else if (records > 1) {
        doubles.push(injection);
      }
    } else if (isIn(injection, gaps)) {
      counts.inGaps += 1;
    } else if (isIn(injection, facts.daemonOutages)) {
      counts.withoutDaemon += 1;
    } else if (isIn(injection, facts.thinned)) {
      counts.notSelected += 1;
    } else {
      rest.push(injection);
    }
  }
  const uncounted = [...facts.switchOutages, ...facts.daemonOutages, ...facts.uncounted];
  const lengths = gaps.map((gap) => lengthWithout(gap, uncounted));
  return {
    injected: facts.injections.length,
    ...counts,
    counted: Math.min(facts.counted, rest.length),
    unexplained: unexplainedOf(rest.length, facts.counted, counts),
    longestGapMs: Math.max(0, ...lengths),
    // Two daemons log the same time when one takes over from the other.
    gapMs: joined(gaps).reduce((sum, gap) => sum + lengthWithout(gap, uncounted), 0),
    gapCount: lengths.filter((ms) => ms > 0).length,
    doubled: doubles.length,
    firstDoubled: doubles.slice(0, SHOWN),
    firstUnexplained: rest.length > facts.counted ? rest.slice(0, SHOWN) : [],
  };
}

/** The gaps since the first packet: one at the start of the round, before it, is not part of it. */
function gapsOf({ gaps, injections }: RoundFacts): readonly LoggedGap[] {
  const beginMs = injections[0]?.beforeMs ?? 0;
  return gaps
    .filter(({ toMs }) => toMs > beginMs)
    .map((gap) => ({ ...gap, fromMs: Math.max(gap.fromMs, beginMs) }));
}

/** Counters may have packets that are in gaps as well, and none beyond these. */
function unexplainedOf(
  rest: number,
  counted: number,
  { inGaps, withoutDaemon, notSelected }: { inGaps: number; withoutDaemon: number; notSelected: number },
): number {
  const explainedTwice = inGaps + withoutDaemon + notSelected;
  return rest >= counted ? rest - counted : Math.min(0, rest + explainedTwice - counted);
}

/** Whether a packet may have reached the hook in one of the intervals. */
function isIn({ beforeMs, afterMs }: Injection, intervals: readonly Interval[]): boolean {
  return intervals.some(({ fromMs, toMs }) => beforeMs <= toMs && afterMs + TRANSIT_MS >= fromMs);
}

/** Returns intervals as one where they overlap, in the order of their begins. */
export function joined(intervals: readonly Interval[]): readonly Interval[] {
  const all: Interval[] = [];
  for (const { fromMs, toMs } of [...intervals].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = all.at(-1);
    if (last !== undefined && fromMs <= last.toMs) {
      all.splice(-1, 1, { fromMs: last.fromMs, toMs: Math.max(last.toMs, toMs) });
    } else {
      all.push({ fromMs, toMs });
    }
  }
  return all;
}

/** Returns the length of an interval without those parts that are in others. */
export function lengthWithout(interval: Interval, others: readonly Interval[]): number {
  let parts: Interval[] = [interval];
  for (const other of others) {
    parts = parts.flatMap((part) =>
      [
        { fromMs: part.fromMs, toMs: Math.min(part.toMs, other.fromMs) },
        { fromMs: Math.max(part.fromMs, other.toMs), toMs: part.toMs },
      ].filter(({ fromMs, toMs }) => toMs > fromMs),
    );
  }
  return parts.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
}
