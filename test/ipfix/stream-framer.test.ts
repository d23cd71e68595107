import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StreamFramer } from '../../src/ipfix/stream-framer.ts';

const messages = [16, 20, 16, 300, 65_535, 17].map((size, index) => {
  const message = Buffer.alloc(size, index + 1);
  message.writeUInt16BE(10, 0);
  message.writeUInt16BE(size, 2);
  return message;
});
const stream = Buffer.concat(messages);

function framed(chunks: Iterable<Buffer>): Buffer[] {
  const framer = new StreamFramer();
  const found: Buffer[] = [];
  for (const chunk of chunks) {
    framer.push(chunk, (message) => found.push(Buffer.from(message)));
  }
  assert.equal(framer.pendingSize, 0);
  return found;
}

test('splits a stream that arrives whole into its messages', () => {
  assert.deepEqual(framed([stream]), messages);
});

test('splits a stream that arrives in any two chunks into the same messages', () => {
  const short = Buffer.concat(messages.slice(0, 4));
  for (let at = 0; at <= short.length; at += 1) {
    assert.deepEqual(framed([short.subarray(0, at), short.subarray(at)]), messages.slice(0, 4));
  }
});

test('splits a stream that arrives byte by byte into the same messages', () => {
  const short = Buffer.concat(messages.slice(0, 4));
  assert.deepEqual(framed(Array.from(short, (byte) => Buffer.of(byte))), messages.slice(0, 4));
});

test('throws at an invalid header, behind the messages before it', () => {
  for (const bad of ['00090010', '000a000f', '16030100']) {
    const framer = new StreamFramer();
    const found: Buffer[] = [];
    const bytes = Buffer.concat([messages[0] ?? Buffer.alloc(0), Buffer.from(bad, 'hex')]);
    assert.throws(() => framer.push(bytes, (message) => found.push(message)), { name: 'FramingError' });
    assert.equal(found.length, 1);
  }
});
