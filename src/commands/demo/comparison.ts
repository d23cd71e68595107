// Whether the parties agree: what was sent (where that is known), what the switch has counted, what the records say.

import { type Count, type Counts, KINDS, totalOf } from './kinds.ts';

/** The three accounts. */
export interface Accounts {
  /** Undefined where the kernel sends, too: then only the switch knows. */
  readonly sent: Counts | undefined;
  readonly counted: Counts;
  readonly exported: Counts;
}

const NOTHING: Count = { packets: 0, octets: 0 };

/** A sentence for each kind of traffic about which the accounts disagree. */
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
      `${name}: ${sender}the switch has counted ${amount(bySwitch)}, and records say ${amount(byRecords)}.`,
    ];
  });
}

/** The accounts side by side, in packets; 80 columns. */
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
  return `${packets} packets (${octets} octets)`;
}
