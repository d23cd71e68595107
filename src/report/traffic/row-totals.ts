// Packets and octets of each row of the store over a window.

import type { HistorySlot } from './history.ts';

export interface RowTotals {
  /** The rows that occur, each once. */
  readonly rows: readonly number[];
  /** By row. */
  readonly packets: Float64Array;
  readonly octets: Float64Array;
}

/** Adds up the rows of all slots. */
export function sumRows(slots: readonly HistorySlot[], rowEnd: number): RowTotals {
  const packets = new Float64Array(rowEnd);
  const octets = new Float64Array(rowEnd);
  const rows: number[] = [];
  for (const { traffic } of slots) {
    for (let index = 0; index < traffic.rows.length; index += 1) {
      const row = traffic.rows[index]!;
      if (packets[row] === 0) {
        rows.push(row);
      }
      packets[row]! += traffic.packets[index]!;
      octets[row]! += traffic.octets[index]!;
    }
  }
  return { rows, packets, octets };
}
