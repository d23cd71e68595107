// The status of an exporter, and the counting of its records by reason and of its samples by fault.

import type { FlowCacheStatus } from '../flow/flow-engine.ts';
import { FlowEndReason } from '../flow/flow-record.ts';
import { FrameFault } from '../packet/flow-key.ts';
import type { DeliveryOptions } from './collector-choice.ts';
import type { CollectorStatus } from './collector-stream.ts';
import type { ExporterOptions } from './exporter-options.ts';

/** Records by flowEndReason. */
export interface ReasonCounts {
  activeTimeout: number;
  forcedEnd: number;
  lackOfResources: number;
}

/** Samples by the part of their frame that had a fault. */
export interface FaultCounts {
  ethernet: number;
  ipHeader: number;
  ipv6Extension: number;
  transport: number;
}

/** What an exporter could not send in the time of a stop. */
export interface StopLoss {
  readonly flowsUnsent: number;
  /** Records that still waited for a collector, each counted for each collector. */
  readonly recordsLost: number;
}

/** How one of several collectors is chosen. */
export interface DeliveryStatus extends DeliveryOptions {
  /** How often a collector had failed or was used again, since the collectors were set. */
  readonly changes: number;
}

/** Records that an exporter's former collectors lost, and those that may not have arrived at them. */
export interface RemovedCollectors {
  readonly recordsLost: number;
  readonly recordsDeliveryUnknown: number;
}

/** An exporter for operators. Counts are since it was created. */
export interface ExporterStatus {
  readonly name: string;
  readonly state: 'idle' | 'running' | 'stopping' | 'stopped';
  readonly options: ExporterOptions;
  readonly cache: FlowCacheStatus;
  readonly samples: number;
  /** Samples that arrived while the exporter did not run. */
  readonly samplesIgnored: number;
  /** Samples whose frame had a fault; they are counted in flows all the same. */
  readonly malformed: Readonly<FaultCounts>;
  readonly records: Readonly<ReasonCounts>;
  /** Messages with data records, each counted once for all collectors. */
  readonly messages: number;
  /** The longest message now, in bytes: as in the options, or less where the path to a collector is narrower. */
  readonly messageBytesMax: number;
  /** Flows that could not be sent in the time of a stop. */
  readonly flowsUnsent: number;
  /** Interfaces without an options record, at `OPTIONS_INTERFACES_MAX`. */
  readonly interfacesOmitted: number;
  readonly collectors: readonly CollectorStatus[];
  readonly removedCollectors: RemovedCollectors;
  /** Undefined: each collector gets each record. */
  readonly delivery: DeliveryStatus | undefined;
}

/** Counts records by the reason for which their flows expired. */
export function countRecords(counts: ReasonCounts, reason: FlowEndReason, count: number): void {
  if (reason === FlowEndReason.activeTimeout) {
    counts.activeTimeout += count;
  } else if (reason === FlowEndReason.forcedEnd) {
    counts.forcedEnd += count;
  } else {
    counts.lackOfResources += count;
  }
}

/** Counts a sample by the faults of its frame, bits of `FrameFault`. */
export function countFaults(counts: FaultCounts, faults: number): void {
  if ((faults & FrameFault.ethernet) !== 0) {
    counts.ethernet += 1;
  }
  if ((faults & FrameFault.ipHeader) !== 0) {
    counts.ipHeader += 1;
  }
  if ((faults & FrameFault.ipv6Extension) !== 0) {
    counts.ipv6Extension += 1;
  }
  if ((faults & FrameFault.transport) !== 0) {
    counts.transport += 1;
  }
}
