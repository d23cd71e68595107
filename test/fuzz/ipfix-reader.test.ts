// A million hostile inputs to the reader, which must neither throw nor grow. Inputs are mutated messages of the exporter of
// 2013 and hand-made ones; most keep a valid header, so that the mutations reach the sets.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import { StreamFramer } from '../../src/ipfix/stream-framer.ts';
import { jsonLine, recordObject } from '../../src/report/record-format.ts';
import { recordText } from '../../src/report/record-text.ts';

const INPUT_COUNT = 1_000_000;
const HEAP_GROWTH_MAX = 256 * 1024 * 1024;
const LIMITS = { sessionsMax: 4, domainsMax: 8, templatesMax: 32, fieldsMax: 2000 };
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31)) | 1;

/** A fast, reproducible random generator of whole numbers (xorshift). */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

const HAND_MADE = [
  // Variable lengths, an enterprise element and an unknown one, with a record.
  '0002 0018 012c 0003 0052 ffff 837c ffff 00001adc 270f 0002 012c 000e 04 65746830 02 aabb abcd 00',
  // An options template and its record.
  '0003 0014 0101 0002 0001 0095 0004 002a 0008 0000 0101 0010 0000000b 0000000000000001',
  // Times, floats and booleans.
  '0002 0020 0100 0006 0098 0008 009a 0008 009c 0008 0096 0004 0137 0004 0114 0001 0100 0025 ' +
    '000000e8d4a510fb bf454880 80000000 bf454880 80000000 3b9aca00 3f000000 01',
  // Withdrawals.
  '0002 0008 0100 0000 0002 0008 0002 0000 0003 0008 0003 0000',
];

function seedMessages(): Buffer[] {
  const runs = JSON.parse(
    readFileSync(new URL('../vectors/exact-messages.json', import.meta.url), 'utf8'),
  ) as { datagrams: string[] }[];
  const recorded = [...new Set(runs.flatMap((run) => run.datagrams))].map((hex) => Buffer.from(hex, 'hex'));
  const handMade = HAND_MADE.map((hex) => {
    const sets = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    const header = Buffer.from('000a000053724e01000000000000000b', 'hex');
    header.writeUInt16BE(16 + sets.length, 2);
    return Buffer.concat([header, sets]);
  });
  return [...recorded, ...handMade, ...handMade, ...handMade];
}

/** Boundary values of fields. */
const EDGES = [0, 1, 2, 3, 4, 127, 128, 254, 255];

/** Mutates a copy of a seed in `buffer`; returns its size. */
function mutate(random: Random, seeds: readonly Buffer[], buffer: Buffer): number {
  const seed = seeds[random.below(seeds.length)] ?? Buffer.alloc(0);
  let size = seed.copy(buffer);
  const kind = random.below(16);
  if (kind === 0) {
    size = random.below(size + 1);
  }
  if (kind === 1) {
    // Appends the sets of another message.
    const other = seeds[random.below(seeds.length)] ?? Buffer.alloc(0);
    size += other.copy(buffer, size, 16);
  }
  const changeCount = size === 0 ? 0 : random.below(6);
  for (let change = 0; change < changeCount; change += 1) {
    const at = random.below(size);
    buffer[at] = random.below(2) === 0 ? (EDGES[random.below(EDGES.length)] ?? 0) : random.below(256);
  }
  if (random.below(32) !== 0 && size >= 16) {
    buffer.writeUInt16BE(10, 0);
    buffer.writeUInt16BE(size, 2);
  }
  return size;
}

test(`reads a million mutated messages without throwing or growing (FUZZ_SEED=${SEED})`, () => {
  const random = new Random(SEED);
  const seeds = seedMessages();
  const reader = new MessageReader(LIMITS);
  const buffer = Buffer.alloc(8192);
  const heapBefore = process.memoryUsage().heapUsed;
  const seen = new Map<string, number>();
  let recordCount = 0;
  for (let input = 0; input < INPUT_COUNT; input += 1) {
    const size = mutate(random, seeds, buffer);
    const transport = random.below(2) === 0 ? 'udp' : 'tcp';
    const sessionKey = `session ${random.below(6)}`;
    const message = reader.read(sessionKey, buffer.subarray(0, size), transport);
    recordCount += message.records.length;
    assert.ok(message.records.length <= size && message.problems.length <= 100);
    for (const problem of message.problems) {
      seen.set(problem.code, (seen.get(problem.code) ?? 0) + 1);
      assert.ok(problem.offset <= size);
    }
    if (input % 64 === 0) {
      for (const record of message.records) {
        assert.equal(record.values.length, record.template.fields.length);
        JSON.parse(jsonLine(recordObject({ transport }, message, record)));
        assert.doesNotMatch(recordText(message, record), /[^\P{Cc}\n]/u);
      }
      const { sessions, templateFields } = reader.status();
      assert.ok(sessions <= LIMITS.sessionsMax);
      assert.ok(templateFields >= 0 && templateFields <= LIMITS.fieldsMax);
    }
  }
  const heapGrowth = process.memoryUsage().heapUsed - heapBefore;
  assert.ok(heapGrowth < HEAP_GROWTH_MAX, `the heap grew by ${heapGrowth} bytes`);
  assert.ok(recordCount > INPUT_COUNT / 20, `${recordCount} records were read`);
  // The mutations cause nearly every problem that the reader reports.
  const reached = [...seen.keys()].sort();
  for (const code of [
    'unknown-template',
    'short-record',
    'bad-set-length',
    'template-changed',
    'padding-nonzero',
  ]) {
    assert.ok(seen.has(code), `only these were reached: ${reached.join(', ')}`);
  }
  assert.ok(reached.length >= 16, `only these were reached: ${reached.join(', ')}`);
  for (let session = 0; session < 6; session += 1) {
    reader.endSession(`session ${session}`);
  }
  assert.equal(reader.status().templateFields, 0, 'every template that was added was taken away');
});

test(`splits hostile streams into messages or throws, and keeps at most one message (FUZZ_SEED=${SEED})`, () => {
  const random = new Random(SEED);
  const seeds = seedMessages();
  const buffer = Buffer.alloc(8192);
  let framer = new StreamFramer();
  let messageCount = 0;
  let endCount = 0;
  for (let input = 0; input < INPUT_COUNT / 20; input += 1) {
    const size = mutate(random, seeds, buffer);
    const cut = random.below(4) === 0 ? random.below(size + 1) : size;
    try {
      framer.push(buffer.subarray(0, cut), (message) => {
        messageCount += 1;
        assert.equal(message.readUInt16BE(2), message.length);
      });
      assert.ok(framer.pendingSize < 65_535);
    } catch (error) {
      assert.ok(error instanceof Error && error.name === 'FramingError', String(error));
      endCount += 1;
      framer = new StreamFramer();
    }
  }
  assert.ok(messageCount > 1000 && endCount > 100);
});
