// Captures that are replayed over both flow engines: that in WebAssembly reads records itself, and both send the same messages and
// count the same, whatever is in the file.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Replay } from '../../src/commands/replay/replay-run.ts';
import { ENGINES, type EngineName } from '../../src/flow/flow-engine.ts';
import { RECORD_FORMATS, type RecordFormat } from '../../src/ipfix/record-layout.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { recordingSessions } from '../export/recording-session.ts';
import { MAKE_ENGINE } from '../flow/engines.ts';

const FRAMES = [
  '02000000000102000000000208004500002e00000000401100000a000001c0a8000004000035001a0000',
  '02000000000102000000000208004500002800000000400600000a000001c0a800000400003500000001000000025012ffff00000000',
  // A length of IP that is not known, and one that is beyond the frame.
  '02000000000102000000000208004500000000000000401100000a000001c0a8000004000035001a0000',
  '02000000000102000000000208004500232800000000401100000a000001c0a8000004000035001a0000',
  '0200000000010200000000028100000a08004500002800000000401100000a000001c0a8000004000035001a0000',
  '0200000000010200000000020806000108000604000102000000000b0a000001000000000000c0a80000',
].map((hex) => Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(1500)]));

const record = fc.record({
  frame: fc.nat({ max: FRAMES.length - 1 }),
  flow: fc.oneof(fc.nat({ max: 1 }), fc.nat({ max: 50 })),
  captured: fc.oneof(fc.constantFrom(0, 60, 60, 60, 1514), fc.nat({ max: 80 })),
  /** Bytes that the frame had in addition. */
  snapped: fc.constantFrom(0, 0, 0, 1400),
  /** Microseconds since the packet before. */
  later: fc.oneof(
    { weight: 12, arbitrary: fc.nat({ max: 900 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(-5000, 995_000, 995_000, 9_999, 10_000, 10_001, 20_000, 3_000_000, 1e9),
    },
  ),
});

/** Packets that follow closely, nearly all of them in plain frames: the engine adds whole batches of them. */
const closeRecord = fc.record({
  frame: fc.oneof(
    { weight: 200, arbitrary: fc.nat({ max: 3 }) },
    { weight: 1, arbitrary: fc.nat({ max: FRAMES.length - 1 }) },
  ),
  flow: fc.nat({ max: 12 }),
  captured: fc.constantFrom(60, 60, 60, 400),
  snapped: fc.constantFrom(0, 0, 0, 1400, 90_000),
  later: fc.oneof(
    { weight: 100, arbitrary: fc.nat({ max: 150 }) },
    { weight: 1, arbitrary: fc.constantFrom(-5, 12_000, 400_000, 1_000_000) },
  ),
});

const capture = fc.record({
  records: fc.oneof(
    fc.array(record, { minLength: 1, maxLength: 400 }),
    fc.array(closeRecord, { minLength: 100, maxLength: 600, size: 'max' }),
  ),
  isLittle: fc.oneof(
    { weight: 5, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  magic: fc.oneof(
    { weight: 5, arbitrary: fc.constant(0xa1b2c3d4) },
    { weight: 1, arbitrary: fc.constant(0xa1b23c4d) },
  ),
  linkType: fc.constantFrom(1, 1, 1, 101),
  /** Microseconds of the first packet behind a whole second; often a second ends among the packets. */
  begin: fc.oneof(fc.constant(0), fc.integer({ min: 950_000, max: 999_999 })),
  /** Bytes that are missing at the end. */
  missing: fc.constantFrom(0, 0, 0, 1, 20),
});
type Capture = typeof capture extends fc.Arbitrary<infer T> ? T : never;

/** Returns the capture as a pcap file. */
function fileOf({ records, isLittle, magic, linkType, begin, missing }: Capture): Buffer {
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes[isLittle ? 'writeUInt32LE' : 'writeUInt32BE'](value >>> 0);
    return bytes;
  };
  const version = Buffer.from(isLittle ? '02000400' : '00020004', 'hex');
  const parts = [word(magic), version, word(0), word(0), word(262_144), word(linkType)];
  let micros = 1_700_000_000_000_000 + begin;
  for (const { frame, flow, captured, snapped, later } of records) {
    micros += later;
    const bytes = Buffer.from(FRAMES[frame]!.subarray(0, captured));
    if (captured > 33) {
      bytes.writeUInt8(flow, 33);
    }
    const fraction = (micros % 1_000_000) * (magic === 0xa1b2c3d4 ? 1 : 1000);
    parts.push(
      word(Math.floor(micros / 1_000_000)),
      word(fraction),
      word(captured),
      word(captured + snapped),
      bytes,
    );
  }
  const whole = Buffer.concat(parts);
  return whole.subarray(0, whole.length - missing);
}

/** Replays a file over an engine; returns the messages and what was counted, but for the engine and its memory. */
async function replay(
  engine: EngineName,
  file: string,
  options: { timeout: number; flowsMax: number; recordFormat?: RecordFormat },
): Promise<object> {
  const { sessions, openSession } = recordingSessions();
  const run = new Replay(
    {
      exporter: {
        targets: [{ transport: 'udp', host: '192.0.2.1', port: 4739, text: '192.0.2.1:4739' }],
        activeTimeoutSeconds: options.timeout,
        flowsMax: options.flowsMax,
        templateIntervalSeconds: 600,
        messageBytesMax: 1400,
        recordFormat: options.recordFormat ?? 'extended',
      },
      speed: 'max',
      observationDomainId: 0xffff_fffe,
      observationPointId: 7,
    },
    { paths: [file], filter: undefined, log: silentLogger, openSession, makeEngine: MAKE_ENGINE[engine] },
  );
  await run.run();
  const { exporter, ...status } = run.status();
  const { cache, ...counts } = exporter;
  const messages = sessions.flatMap((session) => session.messages.map((bytes) => bytes.toString('hex')));
  return { messages, status, counts, cache: { ...cache, engine: '', memoryBytes: 0 } };
}

test('both engines make the same of a capture', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'replay-engines-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'capture.pcap');
  const property = fc.asyncProperty(
    capture,
    fc.constantFrom(0, 1, 60),
    fc.constantFrom(0, 20, 100_000, 100_000),
    fc.constantFrom(...RECORD_FORMATS),
    async (each, timeout, flowsMax, recordFormat) => {
      writeFileSync(file, fileOf(each));
      const [wasm, typescript] = await Promise.all(
        ENGINES.map((engine) => replay(engine, file, { timeout, flowsMax, recordFormat })),
      );
      assert.deepEqual(wasm, typescript);
    },
  );
  await fc.assert(property, { numRuns: 300 });
});

test('a flow that is due within records that are read together expires before its next packet', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'replay-engines-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'capture.pcap');
  const packet = { frame: 0, captured: 60, snapped: 0 } as const;
  const records = [
    { ...packet, flow: 1, later: 0 },
    { ...packet, flow: 2, later: 995_500 },
    // The first of them after a second is one of flow 1.
    ...[2, 2, 2, 2, 1, 2, 1, 2].map((flow) => ({ ...packet, flow, later: 1000 })),
  ];
  writeFileSync(
    file,
    fileOf({ records, isLittle: true, magic: 0xa1b2c3d4, linkType: 1, begin: 0, missing: 0 }),
  );
  const [wasm, typescript] = await Promise.all(
    ENGINES.map((engine) => replay(engine, file, { timeout: 1, flowsMax: 100 })),
  );
  assert.deepEqual(wasm, typescript);
});
