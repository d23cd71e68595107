// Whether hosts lose more while a daemon comes and goes than without one.
//
// A machine that is busy with other work loses packets by itself now and then: vswitchd gets no processor for so long that the
// queue of a port overflows. Such a loss falls into a run with a daemon as easily as into a control run of the same length
// beside it, so the runs alternate (daemon, control, control, daemon, ...), and what is compared are the totals of both kinds.
// A total of the daemon's that is not greater is the end, after the number of pairs that was asked for. While it is greater,
// further pairs are run. A loss that the machine has caused is evened out by control runs that lose as well. One that the
// daemon has caused is not: on a machine that loses nothing by itself, a single packet that is lost in a run with a daemon fails
// the comparison.

import type { ForwardingLab, RunKind, RunLoss } from './forwarding.ts';

/** The sum over all runs of a kind. */
export interface LossTotal {
  readonly runs: number;
  readonly packets: number;
  readonly lostPackets: number;
  readonly pings: number;
  readonly lostPings: number;
}

export interface ForwardingComparison {
  readonly daemon: LossTotal;
  readonly control: LossTotal;
  /** The daemon's runs have lost more packets or more pings. */
  readonly isWorse: boolean;
}

export interface ComparisonOptions {
  readonly pairs: number;
  /** Pairs after which a total of the daemon's that is still greater is final. */
  readonly pairsMax: number;
  /** Told after each pair. */
  readonly onPair?: (comparison: ForwardingComparison) => void;
}

/** Runs pairs of runs; see the head of the file. */
export async function compareForwarding(
  lab: ForwardingLab,
  options: ComparisonOptions,
): Promise<ForwardingComparison> {
  for (let pair = 1; ; pair += 1) {
    const isDaemonFirst = pair % 2 === 1;
    if (isDaemonFirst) {
      await lab.runDaemon();
    }
    await lab.runControl();
    if (!isDaemonFirst) {
      await lab.runDaemon();
    }
    const comparison = compareLosses(await lab.losses());
    options.onPair?.(comparison);
    const isEnough = pair >= options.pairs && !comparison.isWorse;
    if (isEnough || pair >= options.pairsMax) {
      return comparison;
    }
  }
}

/** The totals of both kinds. */
export function compareLosses(losses: readonly RunLoss[]): ForwardingComparison {
  const daemon = totalOf(losses, 'daemon');
  const control = totalOf(losses, 'control');
  const isWorse = daemon.lostPackets > control.lostPackets || daemon.lostPings > control.lostPings;
  return { daemon, control, isWorse };
}

/** A line for people. */
export function describeComparison({ daemon, control }: ForwardingComparison): string {
  return `${describeTotal('with daemons', daemon)}; ${describeTotal('control', control)}`;
}

function describeTotal(name: string, total: LossTotal): string {
  const { runs, packets, lostPackets, pings, lostPings } = total;
  return `${name}: ${runs} runs, ${lostPackets} of ${packets} packets and ${lostPings} of ${pings} pings lost`;
}

function totalOf(losses: readonly RunLoss[], kind: RunKind): LossTotal {
  const runs = losses.filter((loss) => loss.kind === kind);
  const sum = (of: (loss: RunLoss) => number) => runs.reduce((total, loss) => total + of(loss), 0);
  return {
    runs: runs.length,
    packets: sum(({ packets }) => packets),
    lostPackets: sum(({ lostPackets }) => lostPackets),
    pings: sum(({ pings }) => pings),
    lostPings: sum(({ lostPings }) => lostPings),
  };
}
