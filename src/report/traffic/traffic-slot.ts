// The traffic of one slot of the history: totals of each bridge, and the largest directions of conversations.

import { TRAFFIC_KEY_WORDS, TRAFFIC_OWNER } from '../../flow/traffic-key.ts';
import type { TrafficTable } from '../../flow/traffic-table.ts';
import type { DirectionStore } from './direction-store.ts';

/** Directions that a slot keeps: those of 200 conversations. The others are the rest of their bridge. */
export const KEPT_DIRECTIONS_MAX = 400;

/** Cells of `bridges` for each bridge. */
export const BRIDGE_CELLS = 2;
export const BRIDGE_PACKETS = 0;
export const BRIDGE_OCTETS = 1;

export interface TrafficSlot {
  /** When it ended, on the monotonic clock. */
  readonly endMicros: number;
  /** Its length in seconds. */
  readonly seconds: number;
  /** Totals by number of bridge, `BRIDGE_CELLS` cells each; estimates, as all counts here: samples times their weights. */
  readonly bridges: Float64Array;
  /** Rows of the store, in no order; a row may be there twice. */
  readonly rows: Int32Array;
  readonly packets: Float32Array;
  readonly octets: Float32Array;
}

/** Where a direction of the table belongs: the bridge of its exporter, or -1 for one that is counted elsewhere. */
export type BridgeOf = (exporterNumber: number) => number;

/** Makes a slot of the table; its directions become those of bridges. `exporters` are the numbers of the exporters to read. */
export function slotOfTable(
  table: TrafficTable,
  store: DirectionStore,
  exporters: readonly number[],
  bridgeOf: BridgeOf,
  bridgeCount: number,
  endMicros: number,
  seconds: number,
): TrafficSlot {
  const bridges = new Float64Array(bridgeCount * BRIDGE_CELLS);
  for (const number of exporters) {
    const bridge = bridgeOf(number);
    if (bridge >= 0) {
      bridges[bridge * BRIDGE_CELLS + BRIDGE_PACKETS]! += table.totalPacketsOf(number);
      bridges[bridge * BRIDGE_CELLS + BRIDGE_OCTETS]! += table.totalOctetsOf(number);
    }
  }
  const sizes = new Float64Array(table.count);
  for (let row = 0; row < sizes.length; row += 1) {
    const isCounted = bridgeOf(table.keys[row * TRAFFIC_KEY_WORDS + TRAFFIC_OWNER]!) >= 0;
    sizes[row] = isCounted ? table.octetsOf(row) : 0;
  }
  const kept = { rows: [] as number[], packets: [] as number[], octets: [] as number[] };
  const key = new Int32Array(TRAFFIC_KEY_WORDS);
  for (const row of largest(sizes)) {
    const from = row * TRAFFIC_KEY_WORDS;
    key.set(table.keys.subarray(from, from + TRAFFIC_KEY_WORDS));
    key[TRAFFIC_OWNER] = bridgeOf(key[TRAFFIC_OWNER]!);
    const stored = store.use(key);
    if (stored >= 0) {
      kept.rows.push(stored);
      kept.packets.push(table.packetsOf(row));
      kept.octets.push(table.octetsOf(row));
    }
  }
  return {
    endMicros,
    seconds,
    bridges,
    rows: Int32Array.from(kept.rows),
    packets: Float32Array.from(kept.packets),
    octets: Float32Array.from(kept.octets),
  };
}

/** Makes one slot of several that follow each other. */
export function mergeSlots(slots: readonly TrafficSlot[], store: DirectionStore): TrafficSlot {
  const bridges = new Float64Array(Math.max(0, ...slots.map((slot) => slot.bridges.length)));
  const places = new Map<number, number>();
  const rows: number[] = [];
  const packets: number[] = [];
  const octets: number[] = [];
  for (const slot of slots) {
    slot.bridges.forEach((value, cell) => {
      bridges[cell]! += value;
    });
    slot.rows.forEach((row, index) => {
      const known = places.get(row);
      const at = known ?? rows.length;
      if (known === undefined) {
        places.set(row, at);
        rows.push(row);
        packets.push(0);
        octets.push(0);
      }
      packets[at]! += slot.packets[index]!;
      octets[at]! += slot.octets[index]!;
    });
  }
  const kept = largest(Float64Array.from(octets));
  for (const at of kept) {
    store.useAgain(rows[at]!);
  }
  return {
    endMicros: slots.at(-1)?.endMicros ?? 0,
    seconds: slots.reduce((sum, { seconds }) => sum + seconds, 0),
    bridges,
    rows: Int32Array.from(kept, (at) => rows[at]!),
    packets: Float32Array.from(kept, (at) => packets[at]!),
    octets: Float32Array.from(kept, (at) => octets[at]!),
  };
}

/** Ends the references of a slot. */
export function releaseSlot(slot: TrafficSlot, store: DirectionStore): void {
  slot.rows.forEach((row) => store.release(row));
}

/** Returns the indexes of the largest sizes above 0, at most `KEPT_DIRECTIONS_MAX`. */
function largest(sizes: Float64Array): number[] {
  const found: number[] = [];
  if (sizes.length <= KEPT_DIRECTIONS_MAX) {
    sizes.forEach((size, index) => {
      if (size > 0) {
        found.push(index);
      }
    });
    return found;
  }
  const least = sizes.toSorted()[sizes.length - KEPT_DIRECTIONS_MAX]!;
  // Those above the limit first: of the equal ones there may be too many.
  for (const isEqual of [false, true]) {
    for (let index = 0; index < sizes.length && found.length < KEPT_DIRECTIONS_MAX; index += 1) {
      const size = sizes[index]!;
      if (size > 0 && (isEqual ? size === least : size > least)) {
        found.push(index);
      }
    }
  }
  return found;
}
