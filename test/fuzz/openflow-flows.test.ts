// A million damaged and random bodies through the decoders of flows: each is decoded or refused with the one named error, with
// memory in proportion to the message; and what is decoded can be encoded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeFlowMod, encodeFlowMod } from '../../src/node-openflow/flow-mod.ts';
import { decodeFlowMonitorRequest, decodeFlowUpdate } from '../../src/node-openflow/flow-monitor.ts';
import { decodeFlowStats, decodeFlowStatsRequest } from '../../src/node-openflow/flow-stats.ts';
import { decodeInstructions, encodeInstructions } from '../../src/node-openflow/instructions.ts';
import { decodeOxmMatch } from '../../src/node-openflow/match.ts';
import {
  decodeMetadata,
  decodeNxPacketIn,
  decodePacketIn,
  decodePacketIn2,
  PacketInView,
} from '../../src/node-openflow/packet-in.ts';
import { decodePacketOut } from '../../src/node-openflow/packet-out.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion } from '../../src/node-openflow/version.ts';
import { OpenFlowDecodeError, WireReader, WireWriter } from '../../src/node-openflow/wire.ts';
import { body, readVectors } from '../node-openflow/vectors/read-vectors.ts';

const DAMAGED_BODIES = 700_000;
const RANDOM_BODIES = 200_000;
const DAMAGED_LISTS = 100_000;
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261);
/** What is kept of recurring parts takes about 8 MB, most of it blocks of memory that small buffers share. */
const MEMORY_GROWTH_MAX_BYTES = 24 * 1024 * 1024;
const view = new PacketInView();

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Returns the memory that is in use after a collection of garbage. */
function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

type Decode = (version: OpenFlowVersion, reader: WireReader) => unknown;

function each(decode: Decode): Decode {
  return (version, reader) => {
    while (reader.remaining > 0) {
      decode(version, reader);
    }
  };
}

/** Every decoder, with the command that prints its vectors. */
const DECODERS: readonly (readonly [file: string, printed: RegExp, decode: Decode])[] = [
  ['flow-mods.json', /^\w+_FLOW_MOD/, decodeFlowModThere],
  ['flow-mods.json', /^OFPT_PACKET_OUT/, decodePacketOut],
  ['switch-messages.json', /^\w+_FLOW request/, decodeFlowStatsRequest],
  ['switch-messages.json', /^\w+_FLOW reply/, each(decodeFlowStats)],
  ['switch-messages.json', /^\w+_FLOW_MONITOR request/, decodeFlowMonitorRequest],
  ['switch-messages.json', /^\w+_FLOW_MONITOR reply/, each(decodeFlowUpdate)],
  ['switch-messages.json', /^OFPT_PACKET_IN/, decodePacketIn],
  ['switch-messages.json', /^NXT_PACKET_IN /, decodeNxPacketIn],
  ['switch-messages.json', /^NXT_PACKET_IN2/, decodePacketIn2There],
];

/** Checks that a decoded value can be encoded, and decodes to the same again. */
function decodeFlowModThere(version: OpenFlowVersion, reader: WireReader): void {
  const mod = decodeFlowMod(version, reader);
  const writer = new WireWriter();
  encodeFlowMod(version, mod, writer);
  const again = decodeFlowMod(version, new WireReader(writer.finish()));
  assert.equal(again.match.length, mod.match.length);
  assert.equal(again.instructions.length, mod.instructions.length);
}

/** Checks that instructions are encoded to their original bytes. */
function instructionsThere(version: OpenFlowVersion, reader: WireReader): void {
  const bytes = reader.bytes.subarray(reader.offset, reader.end);
  const writer = new WireWriter();
  encodeInstructions(version, decodeInstructions(version, reader), writer);
  assert.ok(writer.finish().equals(bytes), bytes.toString('hex'));
}

function decodePacketIn2There(_version: OpenFlowVersion, reader: WireReader): void {
  decodePacketIn2(reader.bytes, reader.offset, reader.end, view);
  decodeMetadata(view);
}

/** Returns a reproducible generator of numbers from 0 to a limit (xorshift of 32 bits). */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const INTERESTING = [0, 1, 4, 7, 8, 16, 0x20, 0x23, 0x7f, 0x80, 0xfe, 0xff];

/** Returns the bytes with some of them changed, truncated, removed or repeated. */
function damage(bytes: Buffer, random: (limit: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  for (let changes = 1 + random(4); changes > 0 && copy.length > 0; changes -= 1) {
    const value = random(2) === 0 ? random(256) : (INTERESTING[random(INTERESTING.length)] ?? 0);
    copy.writeUInt8(value, random(copy.length));
  }
  switch (random(6)) {
    case 0:
      return copy.subarray(0, random(copy.length + 1));
    case 1: {
      const at = random(copy.length + 1);
      return Buffer.concat([copy.subarray(0, at), copy.subarray(Math.min(copy.length, at + 8 * random(4)))]);
    }
    case 2: {
      const at = random(copy.length + 1);
      return Buffer.concat([copy.subarray(0, at), copy.subarray(random(at + 1))]);
    }
    default:
      return copy;
  }
}

function tryDecode(decode: Decode, version: OpenFlowVersion, bytes: Buffer, seed: string): boolean {
  try {
    decode(version, new WireReader(bytes));
    return true;
  } catch (error) {
    if (error instanceof OpenFlowDecodeError) {
      return false;
    }
    throw new Error(`${seed}, version ${version}: ${bytes.toString('hex')}`, { cause: error });
  }
}

test(`decodes ${DAMAGED_BODIES} damaged bodies or refuses them with the named error (seed ${SEED})`, () => {
  const random = randomNumbers(SEED);
  const cases = DECODERS.flatMap(([file, printed, decode]) =>
    readVectors(file, printed).map((vector) => ({
      version: vector.version,
      decode,
      bytes: Buffer.from(body(vector)),
    })),
  );
  const before = usedBytes();
  let decodedCount = 0;
  for (let index = 0; index < DAMAGED_BODIES; index += 1) {
    const picked = cases[random(cases.length)];
    assert.ok(picked !== undefined);
    const bytes = damage(picked.bytes, random);
    decodedCount += tryDecode(picked.decode, picked.version, bytes, `seed ${SEED}, case ${index}`) ? 1 : 0;
  }
  const share = decodedCount / DAMAGED_BODIES;
  assert.ok(share > 0.1 && share < 0.95, `${share} were decoded: the damage tells nothing`);
  const growth = usedBytes() - before;
  assert.ok(growth < MEMORY_GROWTH_MAX_BYTES, `memory grew by ${growth} bytes`);
});

test(`decodes ${RANDOM_BODIES} random bodies or refuses them with the named error (seed ${SEED})`, () => {
  const random = randomNumbers(SEED + 1);
  const decoders: Decode[] = [...DECODERS.map(([, , decode]) => decode), decodeOxmMatch, instructionsThere];
  for (let index = 0; index < RANDOM_BODIES; index += 1) {
    const bytes = Buffer.alloc(random(96));
    for (let at = 0; at < bytes.length; at += 1) {
      bytes.writeUInt8(random(3) === 0 ? random(256) : (INTERESTING[random(INTERESTING.length)] ?? 0), at);
    }
    const decode = decoders[random(decoders.length)];
    const version = OPENFLOW_VERSIONS[random(OPENFLOW_VERSIONS.length)];
    assert.ok(decode !== undefined && version !== undefined);
    tryDecode(decode, version, bytes, `seed ${SEED}, body ${index}`);
  }
});

test(`encodes ${DAMAGED_LISTS} damaged instructions to their original bytes (seed ${SEED})`, () => {
  const random = randomNumbers(SEED + 2);
  const lists = readVectors('flow-mods.json', /^\w+_FLOW_MOD/).flatMap((vector) => {
    const writer = new WireWriter();
    const start = new WireReader(body(vector));
    encodeInstructions(vector.version, decodeFlowMod(vector.version, start).instructions, writer);
    return [{ version: vector.version, bytes: writer.finish() }];
  });
  let survivors = 0;
  for (let index = 0; index < DAMAGED_LISTS; index += 1) {
    const list = lists[random(lists.length)];
    assert.ok(list !== undefined);
    const bytes = damage(list.bytes, random);
    survivors += tryDecode(instructionsThere, list.version, bytes, `seed ${SEED}, list ${index}`) ? 1 : 0;
  }
  assert.ok(survivors > DAMAGED_LISTS / 5, `${survivors} lists survived`);
});
