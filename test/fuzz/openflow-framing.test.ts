// Hostile bytes for the reader: streams in any chunks, false lengths, bodies of random bytes or real messages with changed
// bytes. Each input must end in messages, in an incomplete message, or in the named error, with bounded memory.
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { OpenFlowConnection } from '../../src/node-openflow/connection.ts';
import { MESSAGE_BYTES_MAX, MessageFramer } from '../../src/node-openflow/framing.ts';
import { decodeMessage } from '../../src/node-openflow/message-codec.ts';
import { OPENFLOW_VERSIONS } from '../../src/node-openflow/version.ts';
import { OpenFlowDecodeError } from '../../src/node-openflow/wire.ts';
import { RECEIVED_VECTORS, VECTORS } from '../node-openflow/vectors/messages.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 0x0f10_2026);
const FRAMER_INPUTS = 300_000;
const DECODER_INPUTS = 650_000;
const CONNECTION_INPUTS = 50_000;

/** A reproducible random generator (xorshift32): the seed repeats a failure. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

test(`the framer survives ${FRAMER_INPUTS} hostile chunks (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  const pool = Buffer.alloc(4096);
  // Zeros among the random bytes, so that lengths are often small enough for a message.
  for (let at = 0; at < pool.length; at += 1) {
    pool[at] = random(2) === 0 ? 0 : random(256);
  }
  let delivered = 0;
  let refused = 0;
  let framer = newFramer();
  function newFramer(): MessageFramer {
    return new MessageFramer((bytes, start, end) => {
      assert.ok(start >= 0 && end <= bytes.length && end - start >= 8);
      assert.equal(bytes.readUInt16BE(start + 2), end - start);
      delivered += 1;
    });
  }
  for (let input = 0; input < FRAMER_INPUTS; input += 1) {
    const start = random(pool.length);
    const chunk = pool.subarray(start, start + random(200));
    if (chunk.length > 4 && random(3) > 0) {
      chunk.writeUInt16BE(random(200) === 0 ? random(0x1_0000) : random(64), 2);
    }
    try {
      framer.feed(chunk);
    } catch (error) {
      assert.ok(error instanceof OpenFlowDecodeError, `seed ${SEED}, input ${input}: ${String(error)}`);
      refused += 1;
      framer = newFramer();
    }
    assert.ok(framer.carriedSize <= MESSAGE_BYTES_MAX);
  }
  assert.ok(
    delivered > 1000 && refused > 1000,
    `delivered ${delivered}, refused ${refused}: the inputs are too tame`,
  );
});

test(`the decoders survive ${DECODER_INPUTS} damaged messages (seed ${SEED})`, () => {
  const random = randomFrom(SEED ^ 0x5bd1_e995);
  const originals = VECTORS.map(({ version, hex }) => ({ version, bytes: Buffer.from(hex, 'hex') }));
  const scratch = Buffer.alloc(MESSAGE_BYTES_MAX);
  let decoded = 0;
  let refused = 0;
  const heapBefore = process.memoryUsage().heapUsed;
  for (let input = 0; input < DECODER_INPUTS; input += 1) {
    const original = originals[random(originals.length)];
    assert.ok(original !== undefined);
    const size = damage(original.bytes, scratch, random);
    const version = random(8) === 0 ? OPENFLOW_VERSIONS[random(OPENFLOW_VERSIONS.length)] : original.version;
    assert.ok(version !== undefined);
    try {
      decodeMessage(version, scratch, 0, size);
      decoded += 1;
    } catch (error) {
      if (!(error instanceof OpenFlowDecodeError)) {
        assert.fail(`seed ${SEED}, input ${input}, ${scratch.toString('hex', 0, size)}: ${String(error)}`);
      }
      refused += 1;
    }
  }
  assert.ok(
    decoded > 1000 && refused > 1000,
    `decoded ${decoded}, refused ${refused}: the inputs are too tame`,
  );
  const growth = process.memoryUsage().heapUsed - heapBefore;
  assert.ok(growth < 256 * 1024 * 1024, `the heap has grown by ${growth} bytes`);
});

test(`a connection survives ${CONNECTION_INPUTS} damaged messages in chunks of any size (seed ${SEED})`, async () => {
  const random = randomFrom(SEED ^ 0x0c0f_fee0);
  const originals = RECEIVED_VECTORS.map(({ version, hex }) => ({ version, bytes: Buffer.from(hex, 'hex') }));
  const scratch = Buffer.alloc(MESSAGE_BYTES_MAX);
  let delivered = 0;
  const reasons = new Map<string, number>();
  let peer = begin();
  function begin() {
    const stream = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
    const version = OPENFLOW_VERSIONS[random(OPENFLOW_VERSIONS.length)] ?? 4;
    const count = () => {
      delivered += 1;
    };
    const connection = new OpenFlowConnection(stream, {
      versions: [version],
      onMessage: count,
      onPacketIn: count,
    });
    stream.emit('data', Buffer.from([version, 0, 0, 8, 0, 0, 0, 1]));
    return { stream, connection, originals: originals.filter((original) => original.version === version) };
  }
  for (let input = 0; input < CONNECTION_INPUTS; input += 1) {
    const original = peer.originals[random(peer.originals.length)];
    assert.ok(original !== undefined);
    const isWhole = random(3) > 0;
    const size = isWhole ? original.bytes.copy(scratch) : damage(original.bytes, scratch, random);
    const cut = random(size + 1);
    peer.stream.emit('data', scratch.subarray(0, cut));
    peer.stream.emit('data', scratch.subarray(cut, size));
    if (peer.connection.status().state === 'ended') {
      const { reason } = await peer.connection.ended;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      peer = begin();
    }
  }
  peer.connection.close();
  assert.ok(delivered > 1000, `only ${delivered} were delivered`);
  assert.deepEqual([...reasons.keys()].sort(), ['malformed', 'protocol'], `seed ${SEED}`);
});

/** Copies a message with changed bytes, truncated, or with random bytes appended. Returns its size. */
function damage(original: Buffer, scratch: Buffer, random: (below: number) => number): number {
  const kept = random(4) === 0 ? 8 + random(Math.max(1, original.length - 8)) : original.length;
  original.copy(scratch, 0, 0, kept);
  let size = kept;
  if (random(8) === 0) {
    const extra = random(32);
    for (let at = 0; at < extra; at += 1) {
      scratch[size] = random(256);
      size += 1;
    }
  }
  const changes = random(6);
  for (let change = 0; change < changes; change += 1) {
    // Small numbers and extremes are the critical values of lengths and counts.
    const value = [0, 1, 4, 8, 0xff, random(256)][random(6)] ?? 0;
    scratch[random(size)] = value;
  }
  scratch.writeUInt16BE(size, 2);
  return size;
}
