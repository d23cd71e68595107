// The commands that change something, and those that every daemon of OVS has.

import { memoryCounts } from '../report/counters.ts';
import type { Coverage, CoverageRow } from '../report/coverage.ts';
import type { Report } from '../report/report.ts';
import { UnknownWord } from '../report/unknown-word.ts';
import { counted } from '../runtime/counted.ts';
import { type CommandRegistry, refuse } from './commands.ts';

/** The parts of the daemon that the commands use. */
export interface DaemonCommandParts {
  readonly report: Report;
  readonly coverage: Coverage;
  /** Returns what keeps the daemon from being ready; empty when it is. */
  readonly missing: () => readonly string[];
  /** Reconciles all rows and bridges at once, without waiting for the end of a pause. */
  readonly readopt: () => void;
  /** Ends the daemon as SIGTERM does. */
  readonly exit: () => void;
}

/** Registers the commands; see docs/status.md. */
export function registerDaemonCommands(registry: CommandRegistry, parts: DaemonCommandParts): void {
  const { report, coverage } = parts;
  registry.register('ready', '', 0, 0, () => {
    const missing = parts.missing();
    return missing.length > 0 ? refuse(missing.join(' ')) : 'ready';
  });
  registry.register('flush', '[BRIDGE [COLLECTOR-SET]]', 0, 2, async ([bridge, set]) => {
    const flows = await flush(report, bridge, set);
    return { text: `${counted(flows, 'flow')} sent`, json: { flows } };
  });
  registry.register('readopt', '', 0, 0, () => {
    parts.readopt();
    return '';
  });
  registry.register('memory/show', '', 0, 0, () => {
    const counts = memoryCounts(report.status());
    const text = Object.entries(counts).map(([name, count]) => `${name}:${count}`);
    return { text: text.join(' '), json: counts };
  });
  registry.register('coverage/show', '', 0, 0, () => {
    const { rows, neverHit } = coverage.rows();
    return { text: coverageText(rows, neverHit), json: { rows, neverHit } };
  });
  registry.register('exit', '', 0, 0, () => {
    parts.exit();
    return '';
  });
}

async function flush(report: Report, bridge: string | undefined, set: string | undefined): Promise<number> {
  if (set !== undefined && !/^\d{1,10}$/u.test(set)) {
    refuse(`"${set}" is not a valid id of a collector set.`);
  }
  try {
    const exporters = report.exporters(bridge, set === undefined ? undefined : Number(set));
    const counts = await Promise.all(exporters.map(({ exporter }) => exporter.flush()));
    return counts.reduce((total, count) => total + count, 0);
  } catch (error) {
    if (error instanceof UnknownWord) {
      return refuse(error.message);
    }
    throw error;
  }
}

function coverageText(rows: readonly CoverageRow[], neverHit: number): string {
  const lines = rows.map(({ name, perSecond: [five, minute, hour], total }) => {
    const rates = `${five.toFixed(1)}/sec ${minute.toFixed(3)}/sec ${hour.toFixed(4)}/sec`;
    return `${name.padEnd(27)} ${rates}   total: ${total}`;
  });
  return [
    'Event coverage, avg rate over last: 5 seconds, last minute, last hour:',
    ...lines,
    `${neverHit} events never hit`,
  ].join('\n');
}
