// Compares the losses of hosts while a daemon is started and ended with those without one.
//
// A busy machine loses packets without a daemon as well: vswitchd gets no processor for so long that the queue of a port
// overflows. Such a loss is as likely in a run with a daemon as in a control run of the same length, so the runs alternate
// (daemon, control, control, daemon, ...), and the totals of both kinds are compared. The comparison ends after the requested
// number of pairs if the total with a daemon is not greater; while it is greater, further pairs are run. Losses by the machine
// are balanced by those of control runs, losses by the daemon are not: on a machine without other losses, a single packet lost
// in a run with a daemon fails the comparison.

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
  /** Whether the runs with a daemon have lost more packets or more pings. */
  readonly isWorse: boolean;
}

export interface ComparisonOptions {
  readonly pairs: number;
  /** Most pairs; a total that is greater after them is final. */
  readonly pairsMax: number;
  /** Called after each pair. */
  readonly onPair?: (comparison: ForwardingComparison) => void;
}

/** Runs pairs of runs and compares them; see the head of the file. */
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

/** Returns the totals of both kinds. */
export function compareLosses(losses: readonly RunLoss[]): ForwardingComparison {
  const daemon = totalOf(losses, 'daemon');
  const control = totalOf(losses, 'control');
  const isWorse = daemon.lostPackets > control.lostPackets || daemon.lostPings > control.lostPings;
  return { daemon, control, isWorse };
}

/** Formats a comparison as a line of text. */
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
