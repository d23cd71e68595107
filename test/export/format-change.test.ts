// Changes of the record format while an exporter runs: flows are sent in the format that they began in, older ones first, and
// none is lost or counted twice, whatever else happens meanwhile.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SLICE_RECORDS_MAX } from '../../src/export/cache-flush.ts';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS, type ExporterOptions } from '../../src/export/exporter-options.ts';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { RecordFormat } from '../../src/ipfix/record-layout.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { recordingSessions } from './recording-session.ts';

const SECOND = 1_000_000;

const target = (port: number) => ({ host: '192.0.2.1', port, text: `192.0.2.1:${port}` });

interface SentRecord {
  readonly flow: number;
  readonly format: RecordFormat;
  readonly packets: number;
  readonly reason: number;
}

class Bench {
  readonly clock = new ManualClock(1_400_000_000_250_000);
  readonly #deferred: (() => void)[] = [];
  readonly #recording;
  readonly exporter: Exporter;
  #options: ExporterOptions;
  readonly #frame = Buffer.from(
    '0200000000020200000000010800450000281234000040060000000000000a00000203e80050000000010000000050020000ffff0000',
    'hex',
  );

  constructor(options: Partial<ExporterOptions>, isReliable = false) {
    this.#recording = recordingSessions(isReliable);
    this.#options = { ...EXPORTER_DEFAULTS, recordFormat: 'original', targets: [target(1)], ...options };
    this.exporter = new Exporter('br0', this.#options, {
      clock: this.clock,
      log: silentLogger,
      openSession: this.#recording.openSession,
      defer: (callback) => this.#deferred.push(callback),
      hashSeed: 7,
    });
    this.exporter.start();
  }

  /** Samples a TCP frame of 54 bytes from the address `flow`. */
  sample(flow: number, domain = 1): void {
    this.#frame.writeUInt32BE(flow, 26);
    this.exporter.sample(this.#frame, 0, 54, 54, 1, domain, 5, 77);
  }

  configure(options: Partial<ExporterOptions>): void {
    this.#options = { ...this.#options, ...options };
    this.exporter.configure(this.#options);
  }

  /** Runs what is deferred now, but not what that defers. */
  turn(): void {
    for (const callback of this.#deferred.splice(0)) {
      callback();
    }
    this.clock.advance(1000);
  }

  /** Runs what is deferred, and what follows from that. */
  async settle(): Promise<void> {
    for (let quietTurns = 0; quietTurns < 30; quietTurns += 1) {
      if (this.#deferred.length > 0) {
        quietTurns = 0;
      }
      this.turn();
      await new Promise(setImmediate);
    }
  }

  /** Decodes the messages of a session strictly, and checks that no message holds records of both formats. */
  records(index = 0): SentRecord[] {
    const reader = new MessageReader();
    return (this.#recording.sessions[index]?.messages ?? []).flatMap((bytes) => {
      const { problems, records } = reader.read('s', bytes, 'udp');
      assert.deepEqual(problems, []);
      const sent = records.map(({ template, values }) => {
        const valueOf = (name: string) => values[template.fields.findIndex((field) => field.name === name)];
        const format: RecordFormat = template.id < 512 ? 'original' : 'extended';
        assert.equal(valueOf('ingressInterface'), format === 'extended' ? 77 : undefined);
        const address = String(valueOf('sourceIPv4Address')).split('.').map(Number);
        return {
          flow: Buffer.from(address).readUInt32BE(),
          format,
          packets: Number(valueOf('packetDeltaCount')),
          reason: Number(valueOf('flowEndReason')),
        };
      });
      assert.ok(new Set(sent.map(({ format }) => format)).size <= 1, 'a message has records of one format');
      return sent;
    });
  }

  messages(index = 0): readonly Buffer[] {
    return this.#recording.sessions[index]?.messages ?? [];
  }
}

for (const isReliable of [false, true]) {
  const transport = isReliable ? 'a reliable transport' : 'UDP';
  test(`sends older flows in their format, then the templates of the new one, then its records, over ${transport}`, async () => {
    const bench = new Bench({ activeTimeoutSeconds: 600, flowsMax: 100_000 }, isReliable);
    const count = 3 * SLICE_RECORDS_MAX + 10;
    for (let flow = 0; flow < count; flow += 1) {
      bench.sample(flow);
    }
    await bench.settle();
    assert.equal(bench.records().length, 0);
    bench.configure({ recordFormat: 'extended' });
    assert.ok(bench.records().length < count, 'not all at once');
    // The same flows, and new ones, while the older ones are sent.
    for (let flow = 0; flow < count + 5; flow += 1) {
      bench.sample(flow);
    }
    await bench.settle();
    const older = bench.records();
    assert.deepEqual(
      older,
      Array.from({ length: count }, (_, flow) => ({ flow, format: 'original', packets: 1, reason: 4 })),
    );
    assert.equal(bench.exporter.status().cache.flows, count + 5);
    void bench.exporter.stop();
    await bench.settle();
    const newer = bench.records().slice(count);
    assert.deepEqual(
      newer.map(({ flow }) => flow),
      Array.from({ length: count + 5 }, (_, flow) => flow),
    );
    assert.ok(newer.every(({ format, packets }) => format === 'extended' && packets === 1));
    // A template message begins with the set 2, and then with the id of its first template.
    const kinds = bench.messages().map((bytes) => {
      const setId = bytes.readUInt16BE(16);
      const isNew = (setId === 2 ? bytes.readUInt16BE(20) : setId) >= 512;
      return `${isNew ? 'extended' : 'original'} ${setId === 2 ? 'templates' : 'records'}`;
    });
    assert.deepEqual(
      kinds.filter((kind, index) => kind !== kinds[index - 1]),
      ['original templates', 'original records', 'extended templates', 'extended records'],
    );
  });
}

test('changes the format at once without a cache, and for each observation domain', async () => {
  const bench = new Bench({});
  for (const format of ['original', 'extended', 'original'] as const) {
    bench.configure({ recordFormat: format });
    for (const domain of [1, 2]) {
      bench.sample(domain, domain);
    }
    await bench.settle();
  }
  assert.deepEqual(
    bench.records().map(({ flow, format }) => `${flow} ${format}`),
    ['1 original', '2 original', '1 extended', '2 extended', '1 original', '2 original'],
  );
  assert.equal(bench.exporter.status().options.recordFormat, 'original');
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('sample' as const), count: fc.nat({ max: 400 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('format' as const),
      format: fc.constantFrom<RecordFormat>('original', 'extended'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('turn' as const, 'flush' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('limits' as const),
      activeTimeoutSeconds: fc.constantFrom(0, 1, 600),
      flowsMax: fc.constantFrom(0, 100, 100_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('collector' as const), port: fc.nat({ max: 2 }) }) },
);

test('loses and mixes nothing over any sequence of samples, changes of the format and other options', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const bench = new Bench({ activeTimeoutSeconds: 600, flowsMax: 100_000, targets: [target(9)] });
      let format: RecordFormat = 'original';
      const began = new Map<number, RecordFormat>();
      for (const each of steps) {
        if (each.what === 'sample') {
          for (let count = 0; count < each.count; count += 1) {
            began.set(began.size, format);
            bench.sample(began.size - 1);
          }
        } else if (each.what === 'format') {
          format = each.format;
          bench.configure({ recordFormat: format });
        } else if (each.what === 'limits') {
          bench.configure({ activeTimeoutSeconds: each.activeTimeoutSeconds, flowsMax: each.flowsMax });
        } else if (each.what === 'collector') {
          bench.configure({ targets: [target(9), target(each.port)] });
        } else if (each.what === 'flush') {
          void bench.exporter.flush();
        } else {
          bench.turn();
        }
      }
      bench.configure({ activeTimeoutSeconds: 0 });
      bench.clock.advance(SECOND);
      await bench.settle();
      const sent = bench.records();
      assert.deepEqual(
        sent.map(({ flow, format }) => `${flow} ${format}`),
        Array.from(began, ([flow, format]) => `${flow} ${format}`),
      );
      // Collectors that were added meanwhile can decode what they got.
      for (let index = 1; bench.messages(index).length > 0; index += 1) {
        bench.records(index);
      }
    }),
    { numRuns: 150 },
  );
});
