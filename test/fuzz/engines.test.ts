// Both flow engines behind an exporter, which get the same frames, times, limits and weights: their messages are equal, byte by
// byte, and so is what they have counted. The engine in WebAssembly dissects frames that lie in its memory.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Exporter } from '../../src/export/exporter.ts';
import type { ExporterOptions } from '../../src/export/exporter-options.ts';
import { ENGINES, type EngineName } from '../../src/flow/flow-engine.ts';
import { RECORD_LAYOUTS } from '../../src/ipfix/record-layout.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { recordingSessions } from '../export/recording-session.ts';
import { MAKE_ENGINE } from '../flow/engines.ts';
import { ManualClock } from '../support/manual-clock.ts';

const FRAME_BYTES = 256;
const FRAMES = 64;
const TUNNEL = Int32Array.of(1, 77, 0x0a000001, 0x0a000002, 17, 4000, 4789);
const ETHERNET = '02000000000102000000000b';

/** Frames that the engine dissects, frames that it leaves to TypeScript, and frames that look like the first and are not. */
const headers = [
  '080045b8002e00000000401100000a000001c0a8000004000035001a0000',
  '080045000028000000004006000 00a000001c0a800000400003500000001000000025012ffff00000000'.replace(' ', ''),
  // A TCP header with options, one that is longer than the frame, a fragment, the first of them, and options of IP.
  '0800450000340000000040060000 0a000001c0a80000040000350000000100000002801800ff000000000101080a0000000100000002'.replace(
    ' ',
    '',
  ),
  '0800450000280000000040060000 0a000001c0a800000400003500000001000000 02f01800ff00000000'.replaceAll(
    ' ',
    '',
  ),
  '080045000028000020b940110000 0a000001c0a8000004000035001a0000'.replace(' ', ''),
  '080045000028000020004011 00000a000001c0a8000004000035001a0000'.replace(' ', ''),
  '0800460000280000000040110000 0a000001c0a800009404000004000035001a0000'.replace(' ', ''),
  '08004500001c0000000040010000 0a000001c0a800000800f7ff00000000'.replace(' ', ''),
  '810020650800450000280000000040110000 0a000001c0a8000004000035001a0000'.replace(' ', ''),
  '86dd600000000008114020010db800000000000000000000000120010db80000000000000000000000020400003500080000',
  '0806000108000604000102000000000b0a000001000000000000c0a80000',
  '0026aaaa03000000080045',
].map((hex) => Buffer.from(ETHERNET + hex, 'hex'));

const packet = fc.record({
  header: fc.nat({ max: headers.length - 1 }),
  /** Bytes that are not those of the header, and where the frame ends. */
  changes: fc.array(fc.tuple(fc.nat({ max: 70 }), fc.nat({ max: 255 })), { maxLength: 2 }),
  captured: fc.oneof(fc.constant(FRAME_BYTES), fc.nat({ max: 80 })),
  flow: fc.nat({ max: 40 }),
  frameSize: fc.oneof(fc.constantFrom(0, 60, 1514, 70_000), fc.nat({ max: 9000 })),
  weight: fc.oneof(fc.constantFrom(1, 400, 0xffff_ffff), fc.nat({ max: 100 })),
  octets: fc.option(fc.nat({ max: 100_000 }), { nil: undefined, freq: 4 }),
  domain: fc.constantFrom(0, 7, 0xffff_ffff),
  point: fc.constantFrom(0, 0x8000_0001),
  interface: fc.nat({ max: 3 }),
  later: fc.oneof(
    { weight: 5, arbitrary: fc.nat({ max: 300_000 }) },
    { weight: 1, arbitrary: fc.nat({ max: 3e9 }) },
  ),
  isInMemory: fc.boolean(),
  endsBatch: fc.oneof(
    { weight: 6, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
});
type Packet = typeof packet extends fc.Arbitrary<infer T> ? T : never;

/** An exporter over one of the engines. */
class Side {
  readonly #clock = new ManualClock();
  readonly #deferred: (() => void)[] = [];
  readonly #sessions = recordingSessions();
  readonly exporter: Exporter;
  readonly #memory: Buffer;
  readonly #other = Buffer.alloc(FRAMES * FRAME_BYTES);
  #next = 0;

  constructor(engine: EngineName, options: ExporterOptions, hasBatches: boolean) {
    this.exporter = new Exporter(engine, options, {
      clock: this.#clock,
      log: silentLogger,
      openSession: this.#sessions.openSession,
      defer: (callback) => this.#deferred.push(callback),
      pace: { next: (callback) => this.#deferred.push(callback) },
      makeEngine: MAKE_ENGINE[engine],
      hasBatches,
      hashSeed: 4739,
    });
    this.#memory = this.exporter.takeFrameMemory(FRAMES * FRAME_BYTES) ?? Buffer.alloc(FRAMES * FRAME_BYTES);
    this.exporter.start();
  }

  add(packet: Packet): void {
    this.#clock.advance(packet.later);
    const memory = packet.isInMemory ? this.#memory : this.#other;
    if (this.#next === FRAMES || packet.endsBatch) {
      // Before frames are overwritten that wait in the batch.
      this.exporter.endBatch();
      this.#next = 0;
    }
    const start = this.#next * FRAME_BYTES;
    this.#next += 1;
    const frame = memory.subarray(start, start + FRAME_BYTES).fill(0x5a);
    headers[packet.header]!.copy(frame);
    frame.writeUInt8(packet.flow, 33);
    for (const [at, value] of packet.changes) {
      frame.writeUInt8(value, at);
    }
    const { weight, frameSize, octets = weight * frameSize, domain, point } = packet;
    const end = start + packet.captured;
    this.exporter.sample(
      memory,
      start,
      end,
      frameSize,
      weight,
      domain,
      point,
      packet.interface,
      octets,
      TUNNEL,
    );
  }

  /** Runs what the exporter has deferred. */
  endTurn(): void {
    for (const callback of this.#deferred.splice(0)) {
      callback();
    }
  }

  async stop(): Promise<void> {
    const stopped = this.exporter.stop();
    while (this.exporter.state !== 'stopped') {
      this.endTurn();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await stopped;
  }

  get messages(): readonly string[] {
    return this.#sessions.sessions.flatMap(({ messages }) => messages.map((bytes) => bytes.toString('hex')));
  }

  /** What both engines count; the memory differs, and the name. */
  get counts(): object {
    const { cache, ...status } = this.exporter.status();
    return { ...status, name: '', cache: { ...cache, engine: '', memoryBytes: 0 } };
  }
}

test('both engines send the same messages and count the same', async () => {
  const property = fc.asyncProperty(
    fc.array(packet, { minLength: 1, maxLength: 200 }),
    fc.constantFrom(...RECORD_LAYOUTS),
    fc.constantFrom(0, 1, 60),
    fc.constantFrom(0, 3, 20, 100_000),
    fc.boolean(),
    async (packets, layout, activeTimeoutSeconds, flowsMax, hasBatches) => {
      const options: ExporterOptions = {
        targets: [{ transport: 'udp', host: '192.0.2.1', port: 4739, text: '192.0.2.1:4739' }],
        activeTimeoutSeconds,
        flowsMax,
        templateIntervalSeconds: 600,
        messageBytesMax: 1400,
        recordFormat: layout === 'original' ? 'original' : 'extended',
        hasTunnels: layout === 'tunnel',
      };
      const [wasm, typescript] = ENGINES.map((engine) => new Side(engine, options, hasBatches));
      assert.ok(wasm !== undefined && typescript !== undefined);
      for (const [index, each] of packets.entries()) {
        wasm.add(each);
        typescript.add(each);
        if (index % 50 === 49) {
          wasm.endTurn();
          typescript.endTurn();
        }
      }
      await wasm.stop();
      await typescript.stop();
      assert.deepEqual(wasm.messages, typescript.messages);
      assert.deepEqual(wasm.counts, typescript.counts);
    },
  );
  await fc.assert(property, { numRuns: 400 });
});
