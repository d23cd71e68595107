// Fills a cache with flows and empties it into messages, slice by slice as the daemon does: time for a flow, the longest pause
// of the event loop, and memory. Each run has a process of its own, so that its first slices run code that is not compiled yet,
// and the memory of one engine is not that of another.

import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { BatchClock } from '../../../src/export/batch-clock.ts';
import { SLICE_RECORDS_MAX } from '../../../src/export/cache-flush.ts';
import { MessagePacker } from '../../../src/export/message-packer.ts';
import type { FlowVisitor } from '../../../src/flow/flow-cache.ts';
import type { EngineName } from '../../../src/flow/flow-engine.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { RecordFormat } from '../replay/exporters.ts';
import { BenchCache } from './engines.ts';
import { FRAME, FRAME_SIZE, IPV6_FRAME, START_MICROS, setFlow, setIpv6Flow } from './frames.ts';

/** What is filled, and how it is emptied. */
export interface GrowthShape {
  readonly engine: EngineName;
  readonly format: RecordFormat;
  readonly flows: number;
  readonly ending: 'expire' | 'flush';
}

export interface Growth {
  /** Nanoseconds for a flow: to dissect and add its first frame, and to remove and encode it. */
  readonly insertNanos: number;
  readonly endNanos: number;
  /** Longest time for a batch of frames, and for a slice of records. */
  readonly insertPauseMs: number;
  readonly endPauseMs: number;
  /** Longest processor time of the process for eight batches, and for a slice: on a busy machine it shows what others take. */
  readonly insertBusyMs: number;
  readonly endBusyMs: number;
  /** Memory of the full cache for each flow: as the cache reports it, and what the process has in addition. */
  readonly flowBytes: number;
  readonly residentBytes: number;
}

const ACTIVE_TIMEOUT_MICROS = 1000;
const FLOWS_MAX = 2 ** 28;
/** Ten million flows of the format `extended` have more bytes than the default allows. */
const FLOW_BYTES_MAX = 1.5 * 1024 ** 3;
const MESSAGE_BYTES = 1400;
const MILLION = 1_000_000;
/** Batches from one reading of the processor time to the next. */
const BATCHES_MEASURED = 8;

/** Runs a growth in a process of its own. */
export function growthOf({ engine, format, flows, ending }: GrowthShape): Growth {
  const args = [process.argv[1] ?? '', 'growth', engine, format, String(flows), ending];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`${flows} flows, ${engine}, ${format}, have failed (exit ${status}): ${stderr}`);
  }
  return JSON.parse(stdout) as Growth;
}

/** Runs a growth and prints it: the process of `growthOf`. */
export function runGrowth(engine: string, format: string, flows: string, ending: string): void {
  const shape = { engine, format, flows: Number(flows), ending } as GrowthShape;
  process.stdout.write(JSON.stringify(growth(shape)));
}

/** Returns the bytes of a flow over IPv6. */
export function ipv6FlowBytes({ engine, format, flows }: Omit<GrowthShape, 'ending'>): number {
  const cache = openCache(engine, format);
  const frame = Buffer.from(IPV6_FRAME);
  for (let flow = 0; flow < flows; flow += 1) {
    setIpv6Flow(frame, 0, flow);
    cache.add(frame, START_MICROS);
  }
  cache.addBatch();
  return cache.memoryBytes / flows;
}

function openCache(engine: EngineName, format: RecordFormat): BenchCache {
  return new BenchCache(engine, format, {
    activeTimeoutMicros: ACTIVE_TIMEOUT_MICROS,
    flowsMax: FLOWS_MAX,
    flowBytesMax: FLOW_BYTES_MAX,
  });
}

function growth({ engine, format, flows, ending }: GrowthShape): Growth {
  const rssBefore = process.memoryUsage.rss();
  const cache = openCache(engine, format);
  const inserting = new Pauses(BATCHES_MEASURED);
  insertAll(cache, flows, inserting);
  if (cache.flowCount !== flows) {
    throw new Error(`The cache has ${cache.flowCount} flows of ${flows}.`);
  }
  const flowBytes = cache.memoryBytes / flows;
  const residentBytes = (process.memoryUsage.rss() - rssBefore) / flows;
  const ended = new Pauses(1);
  endAll(cache, ending, ended);
  return {
    insertNanos: (inserting.totalMs * MILLION) / flows,
    endNanos: (ended.totalMs * MILLION) / flows,
    insertPauseMs: inserting.longestMs,
    endPauseMs: ended.longestMs,
    insertBusyMs: inserting.busiestMs,
    endBusyMs: ended.busiestMs,
    flowBytes,
    residentBytes,
  };
}

/** Measures the time from one turn to the next, collections of garbage included. */
class Pauses {
  readonly #begin = performance.now();
  readonly #turnsMeasured: number;
  #before = this.#begin;
  #turns = 0;
  #busyBefore = process.cpuUsage();
  longestMs = 0;
  /** The longest processor time of `turnsMeasured` turns: reading it takes as long as adding a few frames. */
  busiestMs = 0;

  constructor(turnsMeasured: number) {
    this.#turnsMeasured = turnsMeasured;
  }

  get totalMs(): number {
    return this.#before - this.#begin;
  }

  /** Ends a turn. */
  end(): void {
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.#before);
    this.#before = now;
    this.#turns += 1;
    if (this.#turns % this.#turnsMeasured === 0) {
      const { user, system } = process.cpuUsage(this.#busyBefore);
      this.busiestMs = Math.max(this.busiestMs, (user + system) / 1000);
      this.#busyBefore = process.cpuUsage();
    }
  }
}

/** Adds a frame of each flow. */
function insertAll(cache: BenchCache, flows: number, pauses: Pauses): void {
  const frame = Buffer.alloc(FRAME_SIZE);
  FRAME.copy(frame);
  for (let flow = 0; flow < flows; flow += 1) {
    setFlow(frame, 0, flow);
    if (cache.add(frame, START_MICROS)) {
      pauses.end();
    }
  }
  cache.addBatch();
  pauses.end();
}

/** Encodes all flows. */
function endAll(cache: BenchCache, ending: GrowthShape['ending'], pauses: Pauses): void {
  // As in the daemon, the clock is read once a turn.
  let endTurn = (): void => {};
  const clock = new BatchClock(systemClock, (callback) => {
    endTurn = callback;
  });
  const packer = new MessagePacker(clock, MESSAGE_BYTES, 0, () => {});
  const visitor: FlowVisitor = {
    flow: (record, reason) => packer.add(record, reason),
    flowRun: (run) => (run.isEncoded ? packer.addEncoded(run) : 0),
  };
  const nowMicros = START_MICROS + 2 * ACTIVE_TIMEOUT_MICROS;
  while (cache.flowCount > 0) {
    if (ending === 'expire') {
      cache.expire(nowMicros, visitor, SLICE_RECORDS_MAX);
    } else {
      cache.flush(visitor, SLICE_RECORDS_MAX);
    }
    packer.finishAll();
    endTurn();
    pauses.end();
  }
}
