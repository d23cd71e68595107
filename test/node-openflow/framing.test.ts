import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageFramer } from '../../src/node-openflow/framing.ts';
import { OpenFlowDecodeError } from '../../src/node-openflow/wire.ts';

/** Returns a message of the given size, filled with a byte that identifies it. */
function messageOf(size: number, fill: number): Buffer {
  const bytes = Buffer.alloc(size, fill);
  bytes.writeUInt8(4, 0);
  bytes.writeUInt16BE(size, 2);
  return bytes;
}

function collect(chunks: readonly Buffer[]): { messages: string[]; framer: MessageFramer } {
  const messages: string[] = [];
  const framer = new MessageFramer((bytes, start, end) => messages.push(bytes.toString('hex', start, end)));
  for (const chunk of chunks) {
    framer.feed(chunk);
  }
  return { messages, framer };
}

const MESSAGES = [8, 9, 16, 31, 8, 200].map((size, index) => messageOf(size, index + 1));
const STREAM = Buffer.concat(MESSAGES);
const EXPECTED = MESSAGES.map((message) => message.toString('hex'));

test('delivers messages of one chunk in order', () => {
  assert.deepEqual(collect([STREAM]).messages, EXPECTED);
});

test('delivers the same messages when the stream is split at any offset', () => {
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    const { messages, framer } = collect([STREAM.subarray(0, cut), STREAM.subarray(cut)]);
    assert.deepEqual(messages, EXPECTED, `cut at ${cut}`);
    assert.equal(framer.carriedSize, 0);
  }
});

test('delivers the same messages when the stream is split at any two offsets', () => {
  const stream = STREAM.subarray(0, 8 + 9 + 16);
  for (let first = 0; first <= stream.length; first += 1) {
    for (let second = first; second <= stream.length; second += 1) {
      const chunks = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
      assert.deepEqual(collect(chunks).messages, EXPECTED.slice(0, 3), `cuts at ${first} and ${second}`);
    }
  }
});

test('delivers the same messages byte by byte', () => {
  const bytes = Array.from(STREAM, (_byte, at) => STREAM.subarray(at, at + 1));
  assert.deepEqual(collect(bytes).messages, EXPECTED);
});

test('assembles the largest possible message from small chunks', () => {
  const largest = messageOf(0xffff, 7);
  const chunks: Buffer[] = [];
  for (let at = 0; at < largest.length; at += 1000) {
    chunks.push(largest.subarray(at, at + 1000));
  }
  assert.deepEqual(collect([...chunks, messageOf(8, 1)]).messages, [
    largest.toString('hex'),
    messageOf(8, 1).toString('hex'),
  ]);
});

test('delivers a message within one chunk without copying it', () => {
  const seen: Buffer[] = [];
  const framer = new MessageFramer((bytes) => seen.push(bytes));
  framer.feed(STREAM);
  assert.ok(seen.every((bytes) => bytes === STREAM));
});

test('delivers all messages that span chunks in one carry buffer', () => {
  const seen = new Set<Buffer>();
  const framer = new MessageFramer((bytes) => seen.add(bytes));
  for (let n = 0; n < 100; n += 1) {
    const message = messageOf(100, n);
    framer.feed(message.subarray(0, 50));
    framer.feed(message.subarray(50));
  }
  assert.equal(seen.size, 1);
});

test('refuses a length below the size of a header, wherever the header is split', () => {
  const bad = Buffer.from('0400000700000001', 'hex');
  for (let cut = 0; cut <= bad.length; cut += 1) {
    assert.throws(
      () => collect([bad.subarray(0, cut), bad.subarray(cut)]),
      (error: unknown) => error instanceof OpenFlowDecodeError && error.what === 'ofp_header.length',
      `cut at ${cut}`,
    );
  }
});

test('delivers nothing after stop, not even the rest of the chunk', () => {
  const messages: number[] = [];
  const framer = new MessageFramer((_bytes, start) => {
    messages.push(start);
    if (messages.length === 2) {
      framer.stop();
    }
  });
  framer.feed(STREAM);
  framer.feed(STREAM);
  assert.deepEqual(messages, [0, 8]);
  assert.equal(framer.carriedSize, 0);
});
