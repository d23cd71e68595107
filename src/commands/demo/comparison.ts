// Compares the counts of sender (if known), switch and flow records.

import { counted } from '../../runtime/counted.ts';
import { type Count, type Counts, KINDS, totalOf } from './kinds.ts';

/** The counts of the three. */
export interface Accounts {
  /** Undefined when the kernel sends packets as well: then only the switch has counted all. */
  readonly sent: Counts | undefined;
  readonly counted: Counts;
  readonly exported: Counts;
}

const NOTHING: Count = { packets: 0, octets: 0 };

/** Returns a sentence for each kind of traffic whose counts differ. */
export function disagreements({ sent, counted, exported }: Accounts): string[] {
  return KINDS.flatMap(({ name }) => {
    const bySwitch = counted.get(name) ?? NOTHING;
    const byRecords = exported.get(name) ?? NOTHING;
    const bySender = sent === undefined ? bySwitch : (sent.get(name) ?? NOTHING);
    if (isSame(bySwitch, byRecords) && isSame(bySender, bySwitch)) {
      return [];
    }
    const sender = sent === undefined ? '' : `${amount(bySender)} were sent, `;
    return [
      `${name}: ${sender}the switch counted ${amount(bySwitch)}, and the records have ${amount(byRecords)}.`,
    ];
  });
}

/** Returns a table of the counts, in packets; 80 columns. */
export function accountsTable(accounts: Accounts): string {
  const { sent, counted, exported } = accounts;
  const lines = KINDS.filter(({ name }) => [sent, counted, exported].some((counts) => counts?.has(name))).map(
    ({ name }) => row(name, sent?.get(name), counted.get(name), exported.get(name), sent !== undefined),
  );
  const head = `${'kind of traffic'.padEnd(16)}${sent === undefined ? '' : 'sent'.padStart(8)}  in the switch  in records   octets`;
  const total = row('total', sent && totalOf(sent), totalOf(counted), totalOf(exported), sent !== undefined);
  return [head, ...lines, total, ''].join('\n');
}

function row(
  name: string,
  sent: Count | undefined,
  counted: Count | undefined,
  exported: Count | undefined,
  isSentKnown: boolean,
): string {
  return [
    name.padEnd(16),
    isSentKnown ? String(sent?.packets ?? 0).padStart(8) : '',
    String(counted?.packets ?? 0).padStart(15),
    String(exported?.packets ?? 0).padStart(12),
    String(exported?.octets ?? 0).padStart(9),
  ].join('');
}

function isSame(a: Count, b: Count): boolean {
  return a.packets === b.packets && a.octets === b.octets;
}

function amount({ packets, octets }: Count): string {
  return `${counted(packets, 'packet')} (${counted(octets, 'octet')})`;
}
