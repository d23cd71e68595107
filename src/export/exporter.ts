// The exporter: dissects a sample, adds it to its flow in the cache, and turns flows that are due into records, messages and
// datagrams. There is one for the IPFIX row of each bridge and for each collector set; it lives as long as the row has usable
// targets. It never waits for a collector, and never blocks the event loop for long.

import { type FlowEngine, SAMPLE_EXPIRIES_MAX } from '../flow/flow-engine.ts';
import type { FlowWalk } from '../flow/flow-walk.ts';
import type { RecordRun } from '../flow/record-run.ts';
import type { TrafficTable } from '../flow/traffic-table.ts';
import type { DescribedInterface } from '../ipfix/options-sets.ts';
import { TUNNEL_WORD_COUNT } from '../ipfix/record-layout.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { flushCache, SLICE_RECORDS_MAX } from './cache-flush.ts';
import type { CollectorOfTarget } from './collector-streams.ts';
import { ExpiredFlows } from './expired-flows.ts';
import { type ExporterOptions, layoutOf, sameOptions } from './exporter-options.ts';
import { type ExporterParts, makeCache } from './exporter-parts.ts';
import type { ExporterStatus, StopLoss } from './exporter-status.ts';
import { FrameDissector } from './frame-dissector.ts';
import { type Pace, Pacer } from './pacer.ts';
import { RecordSender } from './record-sender.ts';

export type { ExporterStatus } from './exporter-status.ts';

/** Pause between two runs of the timer, so that flows that are due in short succession share messages. */
export const EXPIRY_PAUSE_MS = 20;
const NO_TUNNEL = new Int32Array(TUNNEL_WORD_COUNT);

export class Exporter {
  readonly name: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #defer: (callback: () => void) => void;
  readonly #pace: Pace;
  readonly #hasBatches: boolean;
  #batchSize = 1;
  readonly #cache: FlowEngine;
  /** Memory whose frames the engine dissects, once a reader has it. */
  #frames: Buffer | undefined;
  readonly #expired: ExpiredFlows;
  readonly #dissector: FrameDissector;
  readonly #traffic: TrafficTable | undefined;
  #trafficNumber = -1;
  #options: ExporterOptions;
  readonly #sender: RecordSender;
  #state: ExporterStatus['state'] = 'idle';
  #stopped: Promise<StopLoss> | undefined;
  #timer: Timer | undefined;
  /** Whether the end of this batch will send the open messages, and whether the next slice is scheduled. */
  #isBatchEndPlanned = false;
  #isSliceEndPlanned = false;
  #samples = 0;
  #samplesIgnored = 0;
  #flowsUnsent = 0;
  /** Created once: a function that creates a closure allocates with each call, even when it returns before. */
  readonly #batchEnded = () => {
    this.endBatch();
    this.#isBatchEndPlanned = false;
    this.#sender.finishAll();
  };
  readonly #timerFired = () => {
    this.#timer = undefined;
    this.#expireSlice();
  };

  constructor(name: string, options: ExporterOptions, parts: ExporterParts) {
    this.name = name;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#sender = new RecordSender(name, options, parts);
    this.#expired = new ExpiredFlows(this.#sender);
    this.#defer = parts.defer ?? setImmediate;
    this.#pace = parts.pace ?? new Pacer(this.#clock, this.#defer, this.#sender.streams);
    this.#options = options;
    this.#traffic = parts.traffic;
    this.#dissector = new FrameDissector(layoutOf(options));
    this.#hasBatches = parts.hasBatches ?? false;
    this.#cache = makeCache(
      options,
      parts,
      ({ start, end, observationPointId: point, ingressInterface }, key) =>
        this.#dissector.dissect(this.#frames!, start, end, point, ingressInterface, NO_TUNNEL, key),
    );
  }

  /** Opens the sessions; samples count from now on. */
  start(): void {
    if (this.#state !== 'idle') {
      return;
    }
    this.#state = 'running';
    this.#trafficNumber = this.#traffic?.register() ?? -1;
    this.#sender.setCollectors();
  }

  /**
   * Applies other options. The cache stays; flows that the new limits make due expire at once, to the new collectors. A
   * collector that stays keeps its session. With another record format, flows of the cache are sent in the old one, with
   * forcedEnd, before those that start from now on. Does nothing when the options have the same meaning, or after `stop`.
   */
  configure(options: ExporterOptions): void {
    const isEnded = this.#state === 'stopping' || this.#state === 'stopped';
    if (isEnded || sameOptions(this.#options, options)) {
      return;
    }
    this.#addBatch();
    if (layoutOf(options) !== layoutOf(this.#options)) {
      this.#expired.outdatedCount = this.#cache.flowCount;
    }
    this.#options = options;
    this.#dissector.setLayout(layoutOf(options));
    this.#sender.setOptions(options);
    this.#cache.setLimits(options.activeTimeoutSeconds * 1_000_000, options.flowsMax);
    if (this.#state !== 'running') {
      return;
    }
    this.#sender.setCollectors();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#expireSlice();
  }

  /**
   * Adds one sampled frame, `frame[start, end)`, whose size in the switch was `frameSize` bytes and which represents `weight`
   * packets and `octets` bytes of frames. Records that become due are sent at the end of the batch. `ingress` is in
   * records of the format `extended` only, and `tunnel`, a word for each element of a tunnel, in those with `hasTunnels`.
   */
  sample(
    frame: Uint8Array,
    start: number,
    end: number,
    frameSize: number,
    weight: number,
    domainId: number,
    pointId: number,
    ingress: number,
    octets: number = weight * frameSize,
    tunnel: Int32Array = NO_TUNNEL,
  ): void {
    if (this.#state !== 'running') {
      this.#samplesIgnored += 1;
      return;
    }
    this.#samples += 1;
    const { batch } = this.#cache;
    const domain = domainId | 0;
    if (frame === this.#frames) {
      batch.timeMicros[0] = this.#clock.monotonicMicros();
      const { hasInterfaces } = this.#dissector;
      this.#cache.putFrame(start, end, hasInterfaces, frameSize, weight, octets, domain, pointId, ingress);
    } else {
      const sample = batch.samples[batch.count]!;
      this.#dissector.dissect(frame, start, end, pointId, ingress, tunnel, sample);
      sample.domain = domain;
      sample.timeMicros = this.#clock.monotonicMicros();
      sample.weight = weight;
      sample.frameSize = frameSize;
      sample.octets = octets;
      batch.count += 1;
    }
    this.#addFullBatch();
  }

  /**
   * Returns `byteCount` bytes of memory for frames that are dissected faster, if there are so many: only for one reader, which
   * ends the batch before it overwrites frames. Samples of them are not in the history of traffic.
   */
  takeFrameMemory(byteCount: number): Buffer | undefined {
    const frames = this.#traffic === undefined && !this.hasTunnels ? this.#cache.frames : undefined;
    this.#frames = frames && frames.length >= byteCount ? frames.subarray(0, byteCount) : undefined;
    return this.#frames;
  }

  /** Samples the packets of pcap records in the memory of `takeFrameMemory`, each with weight 1. Reads none without such memory. */
  addRecords(run: RecordRun): void {
    run.clear();
    if (this.#state !== 'running' || this.#frames === undefined) {
      return;
    }
    run.isExtended = this.#dissector.hasInterfaces;
    // The first flow sets the timer, which limits the records that are read then.
    run.isOneBatch = this.#timer === undefined;
    const expiredCount = this.#cache.addRecords(run, this.#expired, SAMPLE_EXPIRIES_MAX);
    this.#samples += run.count;
    this.#batchAdded(expiredCount);
    if (run.count > 0) {
      this.#planBatchEnd();
      this.#addFullBatch();
    }
  }

  /** Adds the samples that wait for the end of their batch. */
  endBatch(): void {
    if (this.#state === 'running') {
      this.#addBatch();
    }
  }

  /** Sets the interfaces that options records describe, each number once. */
  setInterfaces(interfaces: readonly DescribedInterface[]): void {
    this.#sender.setInterfaces(interfaces);
  }

  get state(): ExporterStatus['state'] {
    return this.#state;
  }

  /** Whether records have the interface that packets came in by. */
  get hasInterfaces(): boolean {
    return this.#dissector.hasInterfaces;
  }

  /** Whether records have what is known of the tunnel that packets came out of. */
  get hasTunnels(): boolean {
    return this.#dissector.hasTunnels;
  }

  /** The number of the exporter in the table of traffic; -1 without one, and before the start. */
  get trafficNumber(): number {
    return this.#trafficNumber;
  }

  /** Messages that wait at the collector with the longest backlog. */
  get backlogCount(): number {
    return this.#sender.streams.backlogCount;
  }

  /** Flushes the cache with forcedEnd, and closes the collectors; resolves to what could not be sent in time. */
  stop(): Promise<StopLoss> {
    this.#stopped ??= this.#flushAndClose();
    return this.#stopped;
  }

  /** Starts a walk over the flows in the cache, the newest samples included. */
  walkFlows(): FlowWalk {
    this.endBatch();
    return this.#cache.walk();
  }

  /**
   * Sends all flows of the cache with forcedEnd and keeps running; resolves with their number when the last one is sent. Flows
   * that start meanwhile stay.
   */
  async flush(): Promise<number> {
    if (this.#state !== 'running') {
      return 0;
    }
    this.#addBatch();
    return this.#flushFlows();
  }

  /** Returns copies of the newest messages with records, newest first, without sequence numbers; valid until the next one. */
  recentMessages(): readonly Buffer[] {
    return this.#sender.recentMessages();
  }

  /** The collectors, each with its target. */
  collectors(): readonly CollectorOfTarget[] {
    return this.#sender.streams.collectors();
  }

  status(): ExporterStatus {
    this.endBatch();
    return {
      name: this.name,
      state: this.#state,
      options: this.#options,
      cache: this.#cache.status(),
      samples: this.#samples,
      samplesIgnored: this.#samplesIgnored,
      malformed: { ...this.#dissector.malformed },
      records: { ...this.#expired.records },
      messages: this.#sender.messageCount,
      messageBytesMax: this.#sender.messageBytesMax,
      flowsUnsent: this.#flowsUnsent,
      interfacesOmitted: this.#sender.interfacesOmitted,
      collectors: this.collectors().map(({ status }) => status),
      removedCollectors: this.#sender.streams.removedCollectors(),
      delivery: this.#sender.deliveryStatus(),
    };
  }

  /** Adds the samples of the batch if it is full, and otherwise when this turn ends. */
  #addFullBatch(): void {
    if (this.#cache.batch.count >= this.#batchSize) {
      this.#addBatch();
    } else {
      this.#planBatchEnd();
    }
  }

  /** Adds the samples of the batch. A small cache has batches of one: they only serve to overlap reads of memory. */
  #addBatch(): void {
    const { batch } = this.#cache;
    if (batch.count === 0) {
      return;
    }
    const traffic = this.#traffic;
    if (traffic !== undefined) {
      for (let index = 0; index < batch.count; index += 1) {
        traffic.add(this.#trafficNumber, batch.samples[index]!);
      }
    }
    this.#batchAdded(this.#cache.addBatch(batch, this.#expired, SAMPLE_EXPIRIES_MAX));
  }

  #batchAdded(expiredCount: number): void {
    const { batch } = this.#cache;
    this.#batchSize = this.#hasBatches || this.#cache.isLarge ? batch.grow() : 1;
    if (expiredCount > 0) {
      this.#planBatchEnd();
    }
    if (this.#timer === undefined && !this.#isSliceEndPlanned) {
      this.#setTimer(this.#clock.monotonicMicros(), 0);
    }
  }

  /** Schedules the expiry of the oldest flow, but not before the pause; does nothing while the cache is empty. */
  #setTimer(nowMicros: number, pauseMs: number): void {
    const expiryMicros = this.#cache.nextExpiryMicros();
    if (expiryMicros === Number.POSITIVE_INFINITY) {
      return;
    }
    this.#timer = this.#clock.setTimer(
      this.#timerFired,
      Math.max(pauseMs, (expiryMicros - nowMicros) / 1000),
    );
  }

  /** Sends the flows that are due, up to a slice; the rest follows after the event loop has served others. */
  #expireSlice(): void {
    if (this.#state !== 'running') {
      return;
    }
    const nowMicros = this.#clock.monotonicMicros();
    this.#sender.streams.setLateness(Math.max(0, nowMicros - this.#cache.nextExpiryMicros()));
    if (this.#sender.streams.waitMs() > 0) {
      this.#planSlice();
      return;
    }
    this.#addBatch();
    const count = this.#cache.expire(nowMicros, this.#expired, SLICE_RECORDS_MAX);
    if (this.#expired.outdatedCount > 0) {
      this.#cache.flush(this.#expired, Math.min(this.#expired.outdatedCount, SLICE_RECORDS_MAX - count));
    }
    this.#sender.finishAll();
    if (this.#cache.nextExpiryMicros() > nowMicros && this.#expired.outdatedCount === 0) {
      if (this.#timer === undefined) {
        this.#setTimer(nowMicros, EXPIRY_PAUSE_MS);
      }
    } else {
      this.#planSlice();
    }
  }

  #planSlice(): void {
    if (this.#isSliceEndPlanned) {
      return;
    }
    this.#isSliceEndPlanned = true;
    this.#pace.next(() => {
      this.#isSliceEndPlanned = false;
      this.#expireSlice();
    });
  }

  #planBatchEnd(): void {
    if (this.#isBatchEndPlanned) {
      return;
    }
    this.#isBatchEndPlanned = true;
    this.#defer(this.#batchEnded);
  }

  /** Sends the flows of the cache, unless the state changes meanwhile; returns how many. */
  async #flushFlows(): Promise<number> {
    const state = this.#state;
    const isWanted = () => this.#state === state;
    const count = await flushCache(this.#cache, this.#expired, this.#sender.streams, this.#pace, isWanted);
    this.#sender.finishAll();
    return count;
  }

  async #flushAndClose(): Promise<StopLoss> {
    this.#addBatch();
    if (this.#trafficNumber >= 0) {
      this.#traffic?.release(this.#trafficNumber);
    }
    this.#state = 'stopping';
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#flushFlows();
    this.#flowsUnsent = this.#cache.flowCount;
    const recordsLost = await this.#sender.streams.stop();
    this.#state = 'stopped';
    this.#log.debug(`exporter ${this.name}: stopped`);
    return { flowsUnsent: this.#flowsUnsent, recordsLost };
  }
}
