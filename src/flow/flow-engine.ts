// What an exporter has of its flows: one interface, and two engines behind it. FlowCache is the reference, in TypeScript.
// WasmEngine is the same in WebAssembly, and dissects frames, too. Both give the same records, byte by byte.

import type { FlowVisitor } from './flow-record.ts';
import type { FlowWalk } from './flow-walk.ts';
import type { RecordRun } from './record-run.ts';
import type { Sample, SampleBatch } from './sample-batch.ts';

export const ENGINES = ['wasm', 'typescript'] as const;
export type EngineName = (typeof ENGINES)[number];

/** Bytes of flows beyond which the oldest expire for lack of resources, whatever the limit on flows: some 11 million flows. */
export const FLOW_BYTES_MAX = 1024 * 1024 * 1024;

/** Flows from which index and entries exceed a processor's second-level cache, so that batches of samples are faster. */
export const LARGE_FLOW_COUNT = 4096;

export interface FlowCacheOptions {
  /** How long a flow is aggregated from its first sample, in microseconds; with 0 each sample expires at once. */
  readonly activeTimeoutMicros: number;
  /** Flows that may stay; with 0 each expires at once. */
  readonly flowsMax: number;
  /** Secret 32 bits of the hash, against senders that choose keys which collide. */
  readonly hashSeed: number;
  /**
   * Bytes of flows that may stay, for a `flowsMax` that exceeds the memory of the machine. Default: `FLOW_BYTES_MAX`. The
   * index needs 13 to 26 bytes a flow in addition. Flows may exceed the limit by an eighth until `expire` is called; beyond
   * that, samples of new flows are refused and counted.
   */
  readonly flowBytesMax?: number;
}

/** Counts since the cache was created, and what it holds. */
export interface FlowCacheStatus {
  readonly engine: EngineName;
  readonly flows: number;
  readonly flowsMax: number;
  readonly activeTimeoutMicros: number;
  /** Memory of the cache, index included; what the engine in WebAssembly keeps for later is not in it. */
  readonly memoryBytes: number;
  /** Samples that started a flow, that joined one, and that were refused for lack of memory. */
  readonly inserted: number;
  readonly aggregated: number;
  readonly refused: number;
  /** Flows that expired, by reason. Those that expired for the limit in bytes are in `expiredByFlowBytes` as well. */
  readonly expiredByActiveTimeout: number;
  readonly expiredByLackOfResources: number;
  readonly expiredByForcedEnd: number;
  readonly expiredByFlowBytes: number;
}

/** Flows by key, in the order in which they started. It has no clock and no timer: its owner passes the time. */
export interface FlowEngine {
  /** Where samples are put that `addBatch` adds. */
  readonly batch: SampleBatch;
  /** Memory for frames that the engine dissects itself. Undefined when it does not. */
  readonly frames: Buffer | undefined;
  /**
   * Puts a sample of the frame `frames[start, end)` into the batch, for a record of the format `extended` or `original`; its
   * other fields are those of `Sample`, and the time is `batch.timeMicros`. The frame stays until the batch is added.
   */
  putFrame(
    start: number,
    end: number,
    isExtended: boolean,
    frameSize: number,
    weight: number,
    octets: number,
    domain: number,
    observationPointId: number,
    ingressInterface: number,
  ): void;
  /**
   * Puts the packets of pcap records into the batch, and adds it, with `expiriesMax` as in `addBatch`, whenever it is full or a record is
   * after its end: at most one batch if `run.isOneBatch`, and not for long after flows have expired (`run.passMicros`). Returns how many
   * have expired. Frames of packets that are left in the batch stay until it is added.
   */
  addRecords(run: RecordRun, visitor: FlowVisitor, expiriesMax: number): number;
  /** How many flows there are. */
  readonly flowCount: number;
  /** Whether there are so many that batches of samples are faster. */
  readonly isLarge: boolean;
  /** Changes the limits. Flows that exceed the new limits leave with the next `expire`. */
  setLimits(activeTimeoutMicros: number, flowsMax: number): void;
  /**
   * Adds the samples of a batch in their order, and expires after each of them the flows that are due, up to `expiriesMax` a
   * sample (at most `SAMPLE_EXPIRIES_MAX`). Returns how many flows have expired. The batch is empty afterwards.
   */
  addBatch(batch: SampleBatch, visitor: FlowVisitor, expiriesMax: number): number;
  /**
   * Returns when `expire` is to be called: the oldest flow's start plus the active timeout. Infinity without a flow, -Infinity
   * when a limit is exceeded.
   */
  nextExpiryMicros(): number;
  /**
   * Passes the flows that are due to `visitor` and removes them, from the oldest to the first that is not due, up to
   * `countMax`. Returns how many.
   */
  expire(nowMicros: number, visitor: FlowVisitor, countMax?: number): number;
  /** Passes flows to `visitor` and removes them, oldest first, due or not, up to `countMax`. Returns how many. */
  flush(visitor: FlowVisitor, countMax?: number): number;
  /** Starts a walk over all flows; see flow-walk.ts. */
  walk(): FlowWalk;
  status(): FlowCacheStatus;
}

/** Flows that one sample may expire: see `FlowEngine.addBatch`. */
export const SAMPLE_EXPIRIES_MAX = 16;

/** A frame of `FlowEngine.frames`, and what its key needs besides. */
export interface PutFrame {
  start: number;
  end: number;
  observationPointId: number;
  ingressInterface: number;
}

/** Creates an engine. `dissect` writes the key of a frame that the engine does not dissect. */
export type MakeFlowEngine = (
  options: FlowCacheOptions,
  dissect: (frame: Readonly<PutFrame>, key: Sample) => void,
) => FlowEngine;
