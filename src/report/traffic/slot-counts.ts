// What a slot of the history has besides traffic: what the counters of the status have grown by. Losses of unlike kinds stay apart:
// packets that the meter dropped, packets and samples that were lost on their way to the daemon, packets that are missing in records,
// and records that collectors did not get.

import type { SampledBridgeStatus } from '../../control/sampled-bridge-status.ts';
import { listExporters } from '../exporter-list.ts';
import type { NameList } from './name-list.ts';

/**
 * Losses of packets. `meter`: dropped by the meter; `way`: lost between the meter and the daemon; `datapath`: sampled by the datapath
 * and lost on their way; these three are compensated. `writtenOff`: missing in records, because they could not be compensated.
 */
export const PACKET_LOSSES = ['meter', 'way', 'datapath', 'writtenOff'] as const;
export type PacketLoss = (typeof PACKET_LOSSES)[number];

/** Packets of a bridge that were lost in a slot. */
export interface BridgeLoss {
  readonly bridge: number;
  readonly kind: PacketLoss;
  readonly packets: number;
}

/** Cells of `collectors` for each collector. */
export const COLLECTOR_CELLS = 4;
export const COLLECTOR_SENT = 0;
export const COLLECTOR_LOST = 1;
export const COLLECTOR_UNKNOWN = 2;
/** Messages that wait. */
export const COLLECTOR_WAITING = 3;

export interface SlotCounts {
  readonly endMicros: number;
  /** Seconds that the counts are of; 0 for a slot at whose end the status was not read. */
  readonly seconds: number;
  /** Packets that could have been sampled, as meters and the datapath have counted them. */
  readonly observed: number;
  /** Flows in all caches at the end of the slot. */
  readonly flows: number;
  /** Records of all exporters, each once for all collectors. */
  readonly records: number;
  readonly losses: readonly BridgeLoss[];
  /** By number of collector, `COLLECTOR_CELLS` cells each. */
  readonly collectors: Float32Array;
}

/** Counters that only grow, by a key of what they are of. */
type Totals = Map<string, readonly number[]>;

const NO_CELLS = new Float32Array(0);

/** Reads the counters at the end of each slot. */
export class CountReader {
  #before: Totals = new Map();
  #now: Totals = new Map();
  #flows = 0;

  /** Returns what has grown since the last call; everything, at the first one. */
  read(
    status: readonly SampledBridgeStatus[],
    bridges: NameList,
    collectors: NameList,
    endMicros: number,
    seconds: number,
  ): SlotCounts {
    this.#now = new Map();
    const losses: BridgeLoss[] = [];
    const observed = status.reduce(
      (sum, bridge) => sum + this.#readBridge(bridge, bridges.numberOf(bridge.bridge, endMicros), losses),
      0,
    );
    const counts = { observed, flows: 0, records: 0 };
    const cells: number[] = [];
    for (const { label, exporter } of listExporters({ bridges: status })) {
      const { activeTimeout, lackOfResources, forcedEnd } = exporter.records;
      const [records = 0] = this.#grown(label, [activeTimeout + lackOfResources + forcedEnd]);
      counts.records += records;
      counts.flows += exporter.cache.flows;
      for (const collector of exporter.collectors) {
        const [sent = 0, lost = 0, unknown = 0] = this.#grown(`${label}\n${collector.target}`, [
          collector.recordsSent,
          collector.recordsLost,
          collector.recordsDeliveryUnknown,
        ]);
        const from = collectors.numberOf(collector.target, endMicros) * COLLECTOR_CELLS;
        [sent, lost, unknown, collector.backlogCount].forEach((value, cell) => {
          cells[from + cell] = (cells[from + cell] ?? 0) + value;
        });
      }
    }
    this.#before = this.#now;
    this.#flows = counts.flows;
    return {
      endMicros,
      seconds,
      ...counts,
      losses,
      collectors: Float32Array.from({ length: cells.length }, (_, cell) => cells[cell] ?? 0),
    };
  }

  /** Returns the counts of a slot at whose end nothing is read. */
  none(endMicros: number): SlotCounts {
    return {
      endMicros,
      seconds: 0,
      observed: 0,
      flows: this.#flows,
      records: 0,
      losses: [],
      collectors: NO_CELLS,
    };
  }

  /** Adds the losses of a bridge; returns the packets that it observed. */
  #readBridge(status: SampledBridgeStatus, bridge: number, losses: BridgeLoss[]): number {
    const { sampling, sampleActionMeter, flowSampling } = status;
    let observed = 0;
    const add = (kind: PacketLoss, packets: number) => {
      if (packets > 0) {
        losses.push({ bridge, kind, packets });
      }
    };
    for (const [name, meter] of [
      ['hook', sampling?.sampler],
      ['actions', sampleActionMeter],
    ] as const) {
      if (meter !== undefined) {
        const [pool = 0, dropped = 0, lost = 0, writtenOff = 0] = this.#grown(`${status.bridge}\n\n${name}`, [
          meter.observedPackets,
          meter.droppedByMeter,
          meter.lost,
          meter.writtenOffPackets,
        ]);
        observed += pool;
        add('meter', dropped);
        add('way', lost);
        add('writtenOff', writtenOff);
      }
    }
    const accounts = [sampling, ...flowSampling].flatMap((each) => each?.datapath ?? []);
    for (const [index, account] of accounts.entries()) {
      const [exported = 0, lost = 0, writtenOff = 0] = this.#grown(`${status.bridge}\n\ndatapath ${index}`, [
        account.packets.exported,
        account.packets.lost,
        account.packetCompensation.writtenOff,
      ]);
      observed += exported;
      add('datapath', lost);
      add('writtenOff', writtenOff);
    }
    return observed;
  }

  /**
   * Returns what the totals have grown by. If the first is smaller than before, all have begun anew; another one may decrease when
   * something that was lost arrives late, and counts again only above its highest value.
   */
  #grown(key: string, totals: readonly number[]): number[] {
    const known = this.#before.get(key);
    const before = known === undefined || totals[0]! < known[0]! ? totals.map(() => 0) : known;
    this.#now.set(
      key,
      totals.map((total, index) => Math.max(total, before[index]!)),
    );
    return totals.map((total, index) => Math.max(0, total - before[index]!));
  }
}

/** Makes one of several that follow each other: counts are added, and what waits is the most of them. */
export function mergeCounts(slots: readonly SlotCounts[]): SlotCounts {
  const losses = new Map<string, BridgeLoss>();
  const collectors = new Float32Array(Math.max(0, ...slots.map((slot) => slot.collectors.length)));
  for (const slot of slots) {
    for (const { bridge, kind, packets } of slot.losses) {
      const key = `${bridge} ${kind}`;
      losses.set(key, { bridge, kind, packets: packets + (losses.get(key)?.packets ?? 0) });
    }
    slot.collectors.forEach((value, cell) => {
      const isState = cell % COLLECTOR_CELLS === COLLECTOR_WAITING;
      collectors[cell] = isState ? Math.max(collectors[cell]!, value) : collectors[cell]! + value;
    });
  }
  const sum = (valueOf: (slot: SlotCounts) => number) => slots.reduce((all, slot) => all + valueOf(slot), 0);
  return {
    endMicros: slots.at(-1)?.endMicros ?? 0,
    seconds: sum(({ seconds }) => seconds),
    observed: sum(({ observed }) => observed),
    flows: slots.at(-1)?.flows ?? 0,
    records: sum(({ records }) => records),
    losses: [...losses.values()],
    collectors,
  };
}
