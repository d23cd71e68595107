// Looks up the traffic of a window in the history: stacked by a dimension, and the largest conversations, of all traffic or of what
// a filter selects.

import { TRAFFIC_KEY_WORDS, TRAFFIC_OWNER } from '../../flow/traffic-key.ts';
import { Conversations } from './conversations.ts';
import { type Dimension, groupKey, hasPrefixOf, valueOf } from './dimensions.ts';
import { directionOf } from './direction.ts';
import type { History, HistorySlot } from './history.ts';
import { type RowTotals, sumRows } from './row-totals.ts';
import { findTalkers } from './talkers.ts';
import { BANDS_MAX, type TrafficBand, type TrafficDocument } from './traffic-document.ts';
import type { TrafficFilter } from './traffic-filter.ts';
import { BRIDGE_CELLS, BRIDGE_OCTETS, BRIDGE_PACKETS } from './traffic-slot.ts';

/** Totals of what no slot lists that are below this share of their bridge's are errors of rounding. */
const ROUNDING = 1e-5;

export interface TrafficRequest {
  readonly windowSeconds: number;
  readonly by: Dimension;
  readonly filter: TrafficFilter;
  /** Conversations to return. */
  readonly count: number;
}

/** Two series: octets and packets by slot. */
interface Amounts {
  readonly octets: Float64Array;
  readonly packets: Float64Array;
}

export class TrafficView {
  readonly #history: History;
  readonly #conversations: Conversations;

  constructor(history: History, hashSeed: number) {
    this.#history = history;
    this.#conversations = new Conversations(hashSeed);
  }

  find(request: TrafficRequest): TrafficDocument {
    const history = this.#history;
    history.updateInterfaces();
    const slots = history.slots(request.windowSeconds);
    const seconds = secondsOf(slots);
    const totals = sumRows(slots, history.store.rowEnd);
    this.#conversations.clear();
    const selected = this.#select(totals, request.filter);
    const bands = this.#bands(slots, totals, selected, request);
    // What no slot lists may or may not be what the filter selects.
    const counted = request.filter.isByBridge ? bands : bands.filter(({ kind }) => kind !== 'unlisted');
    const bits = counted.reduce((sum, { meanBits }) => sum + meanBits, 0);
    const { conversations, talkers } = findTalkers({
      history,
      conversations: this.#conversations,
      totals: { ...totals, rows: selected },
      seconds,
      bits,
      count: request.count,
    });
    const all = sumBridges(slots);
    return {
      windowSeconds: request.windowSeconds,
      seconds: Math.round(seconds),
      slotSeconds: slots.length > 0 ? Math.round(slots.at(-1)!.traffic.seconds) : 1,
      by: request.by,
      words: request.filter.words,
      times: slots.map(({ traffic }) => history.wallSeconds(traffic.endMicros)),
      bands,
      conversations,
      talkers,
      bits,
      packets: counted.reduce((sum, { meanPackets }) => sum + meanPackets, 0),
      allBits: rate(8 * total(all.octets), seconds),
      allPackets: rate(total(all.packets), seconds),
    };
  }

  /** Returns the rows that a filter selects. */
  #select(totals: RowTotals, filter: TrafficFilter): readonly number[] {
    if (filter.words.length === 0) {
      return totals.rows;
    }
    const { store } = this.#history;
    const found: number[] = [];
    /** Conversations by the index of the interface that they have. */
    const having = Array.from({ length: filter.interfaceCount }, () => new Set<number>());
    for (const row of totals.rows) {
      const direction = directionOf(row, this.#history);
      if (filter.hasBridge(direction.bridge)) {
        having.forEach((conversations, index) => {
          if (filter.isInterface(index, direction)) {
            conversations.add(this.#conversations.numberOf(store.words, row));
          }
        });
        if (filter.matches(direction)) {
          found.push(row);
        }
      }
    }
    return having.length === 0
      ? found
      : found.filter((row) => {
          const conversation = this.#conversations.numberOf(store.words, row);
          return having.every((conversations) => conversations.has(conversation));
        });
  }

  #bands(
    slots: readonly HistorySlot[],
    totals: RowTotals,
    selected: readonly number[],
    { by, filter }: TrafficRequest,
  ): TrafficBand[] {
    const hasPrefix = hasPrefixOf(by, filter);
    const { words } = this.#history.store;
    const groups = new Map<number | string, { octets: number; row: number; rank: number }>();
    // Groups by row, in the order of `selected`.
    const groupOf = selected.map((row) => {
      const key = groupKey(by, words, row, hasPrefix);
      let group = groups.get(key);
      if (group === undefined) {
        group = { octets: 0, row, rank: 0 };
        groups.set(key, group);
      }
      group.octets += totals.octets[row]!;
      return group;
    });
    const largest = [...groups.values()].sort((a, b) => b.octets - a.octets);
    largest.forEach((group, rank) => {
      group.rank = rank;
    });
    const own = largest.slice(0, BANDS_MAX);
    // The band of a row, 1 for the first; 0 for rows that are not selected.
    const bandOf = new Uint8Array(this.#history.store.rowEnd);
    selected.forEach((row, index) => {
      bandOf[row] = Math.min(groupOf[index]!.rank, BANDS_MAX) + 1;
    });
    const amounts = Array.from({ length: BANDS_MAX + 2 }, () => amountsOf(slots.length));
    const listed = this.#addRows(slots, bandOf, amounts);
    const bandOfBridge = (bridge: number) =>
      by === 'bridge'
        ? own.findIndex(({ row }) => words[row * TRAFFIC_KEY_WORDS + TRAFFIC_OWNER] === bridge)
        : -1;
    const isOfBridge = (bridge: number) => filter.hasBridge(this.#history.bridges.nameOf(bridge));
    addUnlisted(slots, listed, isOfBridge, amounts, (bridge) => {
      const band = filter.isByBridge ? bandOfBridge(bridge) : -1;
      return band < 0 ? BANDS_MAX + 1 : band;
    });
    const named = own.map(({ row }) => valueOf(by, directionOf(row, this.#history), hasPrefix));
    const made = named.map((value, index) => bandFrom(slots, amounts[index]!, { ...value, kind: 'value' }));
    const rest = [
      bandFrom(slots, amounts[BANDS_MAX]!, { label: 'other', kind: 'other', words: [] }),
      bandFrom(slots, amounts[BANDS_MAX + 1]!, { label: 'not listed', kind: 'unlisted', words: [] }),
    ];
    return [
      ...made.sort((a, b) => b.meanBits - a.meanBits),
      ...rest.filter(({ bits, packets }) => [...bits, ...packets].some((value) => value > 0)),
    ];
  }

  /** Adds the listed traffic to its bands; returns that of each bridge by slot. */
  #addRows(slots: readonly HistorySlot[], bandOf: Uint8Array, amounts: readonly Amounts[]): Float64Array[] {
    const { words } = this.#history.store;
    return slots.map(({ traffic }, slot) => {
      const listed = new Float64Array(traffic.bridges.length);
      const { rows } = traffic;
      for (let index = 0; index < rows.length; index += 1) {
        const row = rows[index]!;
        const octets = traffic.octets[index]!;
        const packets = traffic.packets[index]!;
        const bridge = words[row * TRAFFIC_KEY_WORDS + TRAFFIC_OWNER]! * BRIDGE_CELLS;
        listed[bridge + BRIDGE_OCTETS]! += octets;
        listed[bridge + BRIDGE_PACKETS]! += packets;
        const band = bandOf[row]!;
        if (band > 0) {
          amounts[band - 1]!.octets[slot]! += octets;
          amounts[band - 1]!.packets[slot]! += packets;
        }
      }
      return listed;
    });
  }
}

/** Adds what no slot lists, by bridge, to the band that is chosen for it. */
function addUnlisted(
  slots: readonly HistorySlot[],
  listed: readonly Float64Array[],
  isOfBridge: (bridge: number) => boolean,
  amounts: readonly Amounts[],
  bandOfBridge: (bridge: number) => number,
): void {
  slots.forEach(({ traffic: { bridges } }, slot) => {
    for (let bridge = 0; bridge * BRIDGE_CELLS < bridges.length; bridge += 1) {
      const at = bridge * BRIDGE_CELLS;
      const octets = restOf(bridges[at + BRIDGE_OCTETS]!, listed[slot]![at + BRIDGE_OCTETS]!);
      const packets = restOf(bridges[at + BRIDGE_PACKETS]!, listed[slot]![at + BRIDGE_PACKETS]!);
      if (octets + packets > 0 && isOfBridge(bridge)) {
        const band = amounts[bandOfBridge(bridge)]!;
        band.octets[slot]! += octets;
        band.packets[slot]! += packets;
      }
    }
  });
}

function restOf(all: number, listed: number): number {
  const rest = all - listed;
  return rest > all * ROUNDING ? rest : 0;
}

/** Adds up the totals of bridges by slot. */
function sumBridges(slots: readonly HistorySlot[]): Amounts {
  const amounts = amountsOf(slots.length);
  slots.forEach(({ traffic: { bridges } }, slot) => {
    for (let at = 0; at < bridges.length; at += BRIDGE_CELLS) {
      amounts.octets[slot]! += bridges[at + BRIDGE_OCTETS]!;
      amounts.packets[slot]! += bridges[at + BRIDGE_PACKETS]!;
    }
  });
  return amounts;
}

function secondsOf(slots: readonly HistorySlot[]): number {
  return slots.reduce((sum, { traffic }) => sum + traffic.seconds, 0);
}

function amountsOf(count: number): Amounts {
  return { octets: new Float64Array(count), packets: new Float64Array(count) };
}

function bandFrom(
  slots: readonly HistorySlot[],
  { octets, packets }: Amounts,
  value: Pick<TrafficBand, 'label' | 'kind' | 'words'>,
): TrafficBand {
  const seconds = secondsOf(slots);
  return {
    ...value,
    bits: slots.map(({ traffic }, slot) => rate(8 * octets[slot]!, traffic.seconds)),
    packets: slots.map(({ traffic }, slot) => rate(packets[slot]!, traffic.seconds)),
    meanBits: rate(8 * total(octets), seconds),
    meanPackets: rate(total(packets), seconds),
  };
}

/** Returns an amount a second, as a whole number. */
function rate(amount: number, seconds: number): number {
  return seconds > 0 ? Math.round(amount / seconds) : 0;
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
