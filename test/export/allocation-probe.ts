// Run by allocation.test.ts in its own process, with a young generation so large that nothing is collected during a
// measurement: the growth of the heap is what was allocated. Prints bytes a sample as JSON.

import { BatchClock } from '../../src/export/batch-clock.ts';
import type { DeliveryOptions } from '../../src/export/collector-choice.ts';
import type { CollectorSession, SessionStatus } from '../../src/export/collector-session.ts';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS } from '../../src/export/exporter-options.ts';
import { TrafficTable } from '../../src/flow/traffic-table.ts';
import type { RecordLayout } from '../../src/ipfix/record-layout.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';

const WARM_UP_COUNT = 500_000;
/** The result is the median of some rounds: in some of them code is deoptimised and compiled again. */
const ROUND_COUNT = 5;
const SAMPLES_PER_ROUND = 300_000;
const BATCH_COUNT = 512;

const frame = Buffer.from(
  '020000000002020000000001080045000028123400004006549a0a0000010a00000203e80050000000010000000050020000',
  'hex',
);
const tunnel = new Int32Array(7);
const collectGarbage = globalThis.gc;
let octetCount = 0;

/** Drops messages: what a socket allocates for a message is not measured here. */
class NullSession implements CollectorSession {
  readonly isReliable = false;
  readonly backlogCount = 0;
  start(): void {}
  send(_bytes: Buffer, size: number): boolean {
    octetCount += size;
    return true;
  }
  async stop(): Promise<number> {
    return 0;
  }
  status(): SessionStatus {
    throw new Error('The probe asks for no status.');
  }
}

/** Measures the bytes that a sample allocates in an exporter with these options, from `flowCount` flows in turn. */
function bytesPerSample(
  layout: RecordLayout,
  activeTimeoutSeconds: number,
  flowsMax: number,
  flowCount: number,
  delivery?: DeliveryOptions,
  traffic?: TrafficTable,
): number {
  const deferred: (() => void)[] = [];
  const exporter = new Exporter(
    'probe',
    {
      ...EXPORTER_DEFAULTS,
      activeTimeoutSeconds,
      flowsMax,
      recordFormat: layout === 'original' ? 'original' : 'extended',
      hasTunnels: layout === 'tunnel',
      targets: [1, 2, 3]
        .slice(0, delivery === undefined ? 1 : 3)
        .map((port) => ({ host: '192.0.2.1', port, text: `192.0.2.1:${port}` })),
      delivery,
    },
    {
      clock: new BatchClock(systemClock, (callback) => deferred.push(callback)),
      log: silentLogger,
      openSession: () => new NullSession(),
      defer: (callback) => deferred.push(callback),
      hashSeed: 77,
      traffic,
    },
  );
  exporter.start();
  const run = (count: number) => {
    for (let sample = 0; sample < count; sample += 1) {
      frame.writeUInt32BE(sample % flowCount, 26);
      tunnel[2] = ~(sample & 7);
      const ingress = 2 ** 31 - 1 - (sample & 7);
      exporter.sample(frame, 0, frame.length, 1514, 400, 1 + (sample & 3), 22, ingress, 605_600, tunnel);
      if (sample % BATCH_COUNT === 0) {
        for (let end = deferred.pop(); end; end = deferred.pop()) {
          end();
        }
      }
    }
  };
  run(WARM_UP_COUNT);
  const rounds: number[] = [];
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    collectGarbage?.();
    const before = process.memoryUsage().heapUsed;
    run(SAMPLES_PER_ROUND);
    rounds.push((process.memoryUsage().heapUsed - before) / SAMPLES_PER_ROUND);
  }
  // The exporter's timer would keep the process alive until the active timeout.
  void exporter.stop();
  return rounds.sort((a, b) => a - b)[ROUND_COUNT >> 1] ?? Number.NaN;
}

const result = {
  cached: bytesPerSample('original', 4200, 100_000, 4000),
  uncached: bytesPerSample('original', 0, 0, 4000),
  full: bytesPerSample('original', 4200, 1000, 4000),
  extendedCached: bytesPerSample('extended', 4200, 100_000, 4000),
  extendedUncached: bytesPerSample('extended', 0, 0, 4000),
  extendedFull: bytesPerSample('extended', 4200, 1000, 4000),
  tunnelCached: bytesPerSample('tunnel', 4200, 100_000, 4000),
  balanced: bytesPerSample('extended', 4200, 1000, 4000, { mode: 'balance', failbackSeconds: 60 }),
  failover: bytesPerSample('extended', 0, 0, 4000, { mode: 'failover', failbackSeconds: 60 }),
  // The history reads the table once a second, which clears it.
  traffic: bytesPerSample('extended', 4200, 100_000, 4000, undefined, new TrafficTable(78)),
  trafficFull: bytesPerSample('original', 4200, 100_000, 20_000, undefined, new TrafficTable(79)),
  octetCount,
};
process.stdout.write(JSON.stringify(result), () => process.exit(0));
