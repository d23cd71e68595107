// The steps of the core as loops that are timed, on the parts as the exporter uses them.

import { PerformanceObserver } from 'node:perf_hooks';
import { FlowCache, type FlowVisitor } from '../../../src/flow/flow-cache.ts';
import { hashFlow, hashSecrets } from '../../../src/flow/flow-hash.ts';
import { BATCH_SAMPLES_MAX, SampleBatch } from '../../../src/flow/sample-batch.ts';
import { dissect } from '../../../src/packet/dissect.ts';
import { FlowKey } from '../../../src/packet/flow-key.ts';
import { chosenFlow, type Distribution, generator } from '../flow-choice.ts';
import { scaled } from '../row.ts';
import { FRAME, FRAME_SIZE, IPV6_FRAME, IPV6_FRAME_SIZE, START_MICROS, setFlow } from './frames.ts';

export const FLOW_COUNTS = [1000, 100_000, 1_000_000];

/** Frames side by side in memory, like those of one read. */
const FRAME_COUNT = 16_384;
const NO_VISITOR: FlowVisitor = { flow: () => {} };

let sink = 0;

function nanosOf(count: number, body: () => void): number {
  const begin = process.hrtime.bigint();
  body();
  return Number(process.hrtime.bigint() - begin) / count;
}

class Frames {
  readonly memory = Buffer.alloc(FRAME_COUNT * FRAME_SIZE);
  readonly #random = generator(1);

  constructor() {
    for (let index = 0; index < FRAME_COUNT; index += 1) {
      FRAME.copy(this.memory, index * FRAME_SIZE);
    }
  }

  /** Assigns a flow to each frame. */
  shuffle(flows: number, shape: Distribution): void {
    for (let index = 0; index < FRAME_COUNT; index += 1) {
      this.setFlow(index, chosenFlow(this.#random(), flows, shape));
    }
  }

  setFlow(index: number, flow: number): void {
    setFlow(this.memory, index * FRAME_SIZE, flow);
  }

  stage(batch: SampleBatch, frame: number, nowMicros: number): void {
    const index = batch.count;
    const at = frame * FRAME_SIZE;
    const sample = batch.samples[index]!;
    dissect(this.memory, at, at + FRAME_SIZE, 0, sample);
    sample.domain = 0;
    sample.timeMicros = nowMicros;
    sample.weight = 1;
    sample.frameSize = FRAME_SIZE;
    sample.octets = FRAME_SIZE;
    batch.count = index + 1;
  }
}

const frames = new Frames();

/** Measures dissection and hash; returns nanoseconds a packet for each round. */
export function stepNanos(rounds: number): Record<string, number[]> {
  const key = new FlowKey();
  const secrets = hashSecrets(5);
  frames.shuffle(1000, 'uniform');
  const ipv6 = Buffer.concat(Array.from({ length: 1024 }, () => IPV6_FRAME));
  const dissectAll = (): void => {
    for (let frame = 0; frame < FRAME_COUNT; frame += 1) {
      dissect(frames.memory, frame * FRAME_SIZE, (frame + 1) * FRAME_SIZE, 0, key);
      sink ^= key.words[7]!;
    }
  };
  const dissectIpv6 = (): void => {
    for (let frame = 0; frame < 1024; frame += 1) {
      dissect(ipv6, frame * IPV6_FRAME_SIZE, (frame + 1) * IPV6_FRAME_SIZE, 0, key);
      sink ^= key.words[7]!;
    }
  };
  const hashAll = (): void => {
    for (let frame = 0; frame < FRAME_COUNT; frame += 1) {
      key.words[7] = frame;
      sink ^= hashFlow(secrets, key.words, 10, 259, 0);
    }
  };
  const repeat = (body: () => void, times: number) => () => {
    for (let time = 0; time < times; time += 1) {
      body();
    }
  };
  const times = scaled(200);
  const measure = (body: () => void, count: number): number[] => {
    repeat(body, times)();
    return Array.from({ length: rounds }, () => nanosOf(count * times, repeat(body, times)));
  };
  return {
    'parse, IPv4 UDP': measure(dissectAll, FRAME_COUNT),
    'parse, IPv6 UDP': measure(dissectIpv6, 1024),
    'hash, 10 words': measure(hashAll, FRAME_COUNT),
  };
}

const caches = new Map<number, FlowCache>();

/** Returns a cache of so many flows, each of which was just looked up: the kernel may have swapped idle memory out. */
function fullCache(flows: number): FlowCache {
  const cache = caches.get(flows) ?? new FlowCache({ activeTimeoutMicros: 4e9, flowsMax: 2e6, hashSeed: 7 });
  caches.set(flows, cache);
  const batch = new SampleBatch();
  for (let flow = 0; flow < flows; flow += 1) {
    frames.setFlow(flow % FRAME_COUNT, flow);
    frames.stage(batch, flow % FRAME_COUNT, START_MICROS);
    if (batch.count === BATCH_SAMPLES_MAX || flow === flows - 1) {
      cache.addBatch(batch, NO_VISITOR, 16);
    }
  }
  return cache;
}

/** Rounds for the compiler, which are not counted. */
const WARM_UP_PASSES = 5;

/**
 * Returns the nanoseconds to add a sample to an existing flow, in batches like those of the exporter: a loop over frames, less
 * the same loop without the cache.
 */
export function hitNanos(flows: number, shape: Distribution): number {
  const cache = fullCache(flows);
  const batch = new SampleBatch();
  const size = cache.isLarge ? BATCH_SAMPLES_MAX : 1;
  const withCache = (): void => {
    for (let frame = 0; frame < FRAME_COUNT; frame += 1) {
      frames.stage(batch, frame, START_MICROS);
      if (batch.count === size) {
        sink ^= cache.addBatch(batch, NO_VISITOR, 16);
      }
    }
  };
  const without = (): void => {
    for (let frame = 0; frame < FRAME_COUNT; frame += 1) {
      frames.stage(batch, frame, START_MICROS);
      if (batch.count === size) {
        batch.count = 0;
      }
    }
  };
  const passes = Math.max(2, scaled(40));
  let nanos = 0;
  for (let pass = -WARM_UP_PASSES; pass < passes; pass += 1) {
    frames.shuffle(flows, shape);
    const whole = nanosOf(FRAME_COUNT, withCache);
    const filling = nanosOf(FRAME_COUNT, without);
    if (pass >= 0) {
      nanos += whole - filling;
    }
  }
  return nanos / passes;
}

export interface Garbage {
  readonly collections: number;
  readonly longestMs: number;
  readonly bytesPerPacket: number;
}

/** Runs packets through dissector and cache, and counts the garbage collections. */
export async function runGarbage(packets: number): Promise<Garbage> {
  const cache = fullCache(100_000);
  const batch = new SampleBatch();
  const pauses: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      pauses.push(entry.duration);
    }
  });
  const run = (count: number): void => {
    for (let packet = 0; packet < count; packet += 1) {
      frames.stage(batch, packet % FRAME_COUNT, START_MICROS + packet);
      if (batch.count === BATCH_SAMPLES_MAX) {
        sink ^= cache.addBatch(batch, NO_VISITOR, 16);
      }
    }
  };
  frames.shuffle(100_000, 'uniform');
  run(Math.min(packets, 1_000_000));
  observer.observe({ entryTypes: ['gc'] });
  const before = process.memoryUsage().heapUsed;
  run(packets);
  const grown = process.memoryUsage().heapUsed - before;
  // Entries are reported in a later turn.
  await new Promise<void>((resolve) => setImmediate(resolve));
  observer.disconnect();
  return {
    collections: pauses.length,
    longestMs: Math.max(0, ...pauses),
    bytesPerPacket: Math.max(0, grown) / packets,
  };
}
