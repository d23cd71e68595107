// The history of the last hour: a slot for each second of the last ten minutes, and one for each ten seconds of the hour. It is
// filled from what exporters have counted for each sample and from the counters of the status, at the end of each second.

import type { ControlStatus } from '../../control/control-parts.ts';
import type { RunningExporter } from '../../control/sampled-bridge-parts.ts';
import type { TrafficTable } from '../../flow/traffic-table.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { DirectionStore } from './direction-store.ts';
import { EventList } from './event-list.ts';
import { InterfaceMemory } from './interface-names.ts';
import { NameList } from './name-list.ts';
import { CountReader, mergeCounts, type SlotCounts } from './slot-counts.ts';
import { mergeSlots, releaseSlot, slotOfTable, type TrafficSlot } from './traffic-slot.ts';

/** Slots of one second. */
export const SECOND_SLOTS_MAX = 600;
/** Slots of ten seconds. */
export const TEN_SECOND_SLOTS_MAX = 360;
/** Bridges with totals of their own, less one: the others share one. */
export const HISTORY_BRIDGES_MAX = 256;
/** Collectors with counts of their own, less one: the others share one. */
export const HISTORY_COLLECTORS_MAX = 128;

const SLOT_MICROS = 1_000_000;
const SLOTS_MERGED = 10;
/** Times the duration of a reading of the status after which the next one follows. */
const PAUSE_FACTOR = 100;
const KEPT_MICROS = TEN_SECOND_SLOTS_MAX * SLOTS_MERGED * SLOT_MICROS;

/** One slot: traffic and counts. */
export interface HistorySlot {
  readonly traffic: TrafficSlot;
  readonly counts: SlotCounts;
}

/** What the history reads. */
export interface HistoryParts {
  readonly clock: Clock;
  readonly table: TrafficTable;
  readonly hashSeed: number;
  readonly control: {
    bridges(): ControlStatus['bridges'];
    exporters(): readonly RunningExporter[];
  };
}

/** What the history holds, for operators. */
export interface HistoryStatus {
  readonly seconds: number;
  readonly slots: number;
  readonly directions: number;
  readonly memoryBytes: number;
  /** Samples, and directions of slots, that are only in totals because a limit was reached. */
  readonly samplesOmitted: number;
  readonly directionsOmitted: number;
}

export class History {
  readonly #parts: HistoryParts;
  readonly store: DirectionStore;
  readonly bridges = new NameList('other bridges', HISTORY_BRIDGES_MAX, KEPT_MICROS);
  readonly collectors = new NameList('other collectors', HISTORY_COLLECTORS_MAX, KEPT_MICROS);
  readonly interfaces = new InterfaceMemory();
  readonly events: EventList;
  /** Oldest first. */
  readonly #seconds: HistorySlot[] = [];
  readonly #tens: HistorySlot[] = [];
  /** Slots since the last one of ten seconds. */
  #unmerged = 0;
  readonly #counts = new CountReader();
  readonly startMicros: number;
  #lastMicros: number;
  /** When the status was read last, and when it is to be read next. */
  #lastReadMicros: number;
  #nextReadMicros = 0;
  #newestBridges: ControlStatus['bridges'] | undefined;
  #timer: Timer | undefined;
  #onSlot: (() => void) | undefined;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
    this.store = new DirectionStore(parts.hashSeed);
    this.startMicros = parts.clock.monotonicMicros();
    this.#lastMicros = this.startMicros;
    this.#lastReadMicros = this.startMicros;
    this.events = new EventList(this.startMicros);
  }

  start(): void {
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Calls back at the end of each slot; undefined: does not any more. */
  set onSlot(callback: (() => void) | undefined) {
    this.#onSlot = callback;
  }

  /** Seconds that the history has. */
  get seconds(): number {
    const micros = Math.min(this.#lastMicros - this.startMicros, KEPT_MICROS);
    return Math.round(micros / SLOT_MICROS);
  }

  /** The status of all bridges at the end of the newest slot. */
  get newestBridges(): ControlStatus['bridges'] | undefined {
    return this.#newestBridges;
  }

  /** The end of the newest slot, on the monotonic clock. */
  get endMicros(): number {
    return this.#lastMicros;
  }

  /** Returns the slots that ended in the last seconds, oldest first: those of one second as far as there are enough. */
  slots(windowSeconds: number): readonly HistorySlot[] {
    const slots = windowSeconds <= SECOND_SLOTS_MAX ? this.#seconds : this.#tens;
    const sinceMicros = this.#lastMicros - windowSeconds * SLOT_MICROS + SLOT_MICROS / 2;
    const first = slots.findIndex(({ traffic }) => traffic.endMicros > sinceMicros);
    return first < 0 ? [] : slots.slice(first);
  }

  /** Returns the wall time of a time of the monotonic clock, in seconds since 1970, by the clock as it is set now. */
  wallSeconds(micros: number): number {
    const { clock } = this.#parts;
    return Math.round((clock.wallMicros() - (clock.monotonicMicros() - micros)) / 10_000) / 100;
  }

  /** Reads the names that interfaces have now. */
  updateInterfaces(): void {
    this.interfaces.update(this.#parts.control.exporters());
  }

  status(): HistoryStatus {
    const slots = [...this.#seconds, ...this.#tens];
    return {
      seconds: this.seconds,
      slots: slots.length,
      directions: this.store.count,
      memoryBytes: slots.reduce((sum, slot) => sum + bytesOf(slot), this.store.memoryBytes),
      samplesOmitted: this.#parts.table.omitted,
      directionsOmitted: this.store.omitted,
    };
  }

  #schedule(): void {
    const { clock } = this.#parts;
    const nowMicros = clock.monotonicMicros();
    const leftMicros = SLOT_MICROS - ((nowMicros - this.startMicros) % SLOT_MICROS);
    // A timer that fired a little early, or very late: a tenth of a second is not a slot.
    const waitMicros = leftMicros < SLOT_MICROS / 10 ? leftMicros + SLOT_MICROS : leftMicros;
    this.#timer = clock.setTimer(() => {
      this.#endSlot();
      this.#schedule();
      this.#onSlot?.();
    }, waitMicros / 1000);
  }

  #endSlot(): void {
    const endMicros = this.#parts.clock.monotonicMicros();
    const seconds = (endMicros - this.#lastMicros) / SLOT_MICROS;
    this.#lastMicros = endMicros;
    const traffic = this.#readTraffic(endMicros, seconds);
    const counts =
      endMicros < this.#nextReadMicros ? this.#counts.none(endMicros) : this.#readCounts(endMicros);
    this.#seconds.push({ traffic, counts });
    if (this.#seconds.length > SECOND_SLOTS_MAX) {
      releaseSlot(this.#seconds.shift()!.traffic, this.store);
    }
    this.#unmerged += 1;
    if (this.#unmerged === SLOTS_MERGED) {
      this.#unmerged = 0;
      this.#mergeTen();
    }
  }

  /** Reads the status of all bridges. With many it takes long, and the next reading is later, so that it takes a hundredth of the time. */
  #readCounts(endMicros: number): SlotCounts {
    const { clock, control } = this.#parts;
    const bridges = control.bridges();
    const seconds = (endMicros - this.#lastReadMicros) / SLOT_MICROS;
    const counts = this.#counts.read(bridges, this.bridges, this.collectors, endMicros, seconds);
    this.events.compare({ bridges }, endMicros);
    this.#newestBridges = bridges;
    this.#lastReadMicros = endMicros;
    this.#nextReadMicros = endMicros + PAUSE_FACTOR * (clock.monotonicMicros() - endMicros);
    return counts;
  }

  /** Counts the exporter of a whole bridge, or, on a bridge without one, those of its collector sets, which may count a packet twice. */
  #readTraffic(endMicros: number, seconds: number): TrafficSlot {
    const { table, control } = this.#parts;
    const exporters = control.exporters().filter(({ exporter }) => exporter.trafficNumber >= 0);
    const whole = new Set(
      exporters.flatMap((each) => (each.collectorSetId === undefined ? [each.bridge] : [])),
    );
    const bridgeByNumber = new Map<number, number>();
    for (const { bridge, collectorSetId, exporter } of exporters) {
      if (collectorSetId === undefined || !whole.has(bridge)) {
        bridgeByNumber.set(exporter.trafficNumber, this.bridges.numberOf(bridge, endMicros));
      }
    }
    const slot = slotOfTable(
      table,
      this.store,
      [...bridgeByNumber.keys()],
      (number) => bridgeByNumber.get(number) ?? -1,
      this.bridges.length,
      endMicros,
      seconds,
    );
    table.clear();
    return slot;
  }

  #mergeTen(): void {
    const slots = this.#seconds.slice(-SLOTS_MERGED);
    this.#tens.push({
      traffic: mergeSlots(
        slots.map(({ traffic }) => traffic),
        this.store,
      ),
      counts: mergeCounts(slots.map(({ counts }) => counts)),
    });
    if (this.#tens.length > TEN_SECOND_SLOTS_MAX) {
      releaseSlot(this.#tens.shift()!.traffic, this.store);
    }
    this.updateInterfaces();
  }
}

/** Bytes of a JavaScript object with a typed array, about. */
const ARRAY_BYTES = 200;
const LOSS_BYTES = 48;

function bytesOf({ traffic, counts }: HistorySlot): number {
  const { bridges, rows, packets, octets } = traffic;
  const arrays = [bridges, rows, packets, octets, counts.collectors];
  return arrays.reduce(
    (sum, { byteLength }) => sum + byteLength + ARRAY_BYTES,
    counts.losses.length * LOSS_BYTES,
  );
}
