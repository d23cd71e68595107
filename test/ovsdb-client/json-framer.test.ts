import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OvsdbError } from '../../src/ovsdb-client/errors.ts';
import { JsonFramer, type JsonFramerOptions } from '../../src/ovsdb-client/json-framer.ts';

const LIMITS: JsonFramerOptions = { messageBytesMax: 1000, depthMax: 12 };

/** Messages that are hard to scan: braces and quotes in strings, escapes, UTF-8 of all lengths. */
const MESSAGES = [
  {},
  { a: '}]{["', b: '\\', c: '\\"', d: '"' },
  { id: null, method: 'update2', params: ['m', { T: { u: { insert: { x: ['map', [['k', 'v']]] } } } }] },
  { text: 'é€😀\u0000\u2028', n: -1.5e-7, t: [true, false, null, []] },
  { '': { ' ': [[[[1]]]] } },
];
const BYTES = Buffer.from(MESSAGES.map((message) => JSON.stringify(message)).join(''));

function frame(chunks: readonly Buffer[], options: Partial<JsonFramerOptions> = {}): unknown[] {
  const framer = new JsonFramer({ ...LIMITS, ...options });
  const messages: unknown[] = [];
  for (const chunk of chunks) {
    framer.push(chunk, (message) => messages.push(message));
  }
  return messages;
}

function code(chunks: readonly (string | Buffer)[], options: Partial<JsonFramerOptions> = {}): string {
  try {
    frame(
      chunks.map((chunk) => Buffer.from(chunk as string)),
      options,
    );
  } catch (error) {
    assert.ok(error instanceof OvsdbError);
    return error.code;
  }
  return 'none';
}

/** Returns a message of that many bytes. */
function ofSize(size: number): string {
  return `{"a":"${'x'.repeat(size - 8)}"}`;
}

/** Returns a message that is nested that deep. */
function ofDepth(depth: number): string {
  return `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
}

describe('the framer', () => {
  test('splits messages that arrive in one chunk', () => {
    assert.deepEqual(frame([BYTES]), MESSAGES);
  });

  test('returns the same messages wherever the stream is split', () => {
    for (let cut = 0; cut <= BYTES.length; cut += 1) {
      assert.deepEqual(frame([BYTES.subarray(0, cut), BYTES.subarray(cut)]), MESSAGES, `cut at ${cut}`);
    }
  });

  test('returns the same messages byte by byte', () => {
    assert.deepEqual(frame(Array.from(BYTES, (_, at) => BYTES.subarray(at, at + 1))), MESSAGES);
  });

  test('returns nothing for any shorter prefix of a message, and holds its bytes', () => {
    const bytes = Buffer.from(JSON.stringify(MESSAGES[2]));
    for (let size = 0; size < bytes.length; size += 1) {
      const framer = new JsonFramer(LIMITS);
      framer.push(bytes.subarray(0, size), () => assert.fail(`a message after ${size} bytes`));
      assert.equal(framer.heldBytes, size);
    }
  });

  test('does not use the chunk after it has returned', () => {
    const messages: unknown[] = [];
    const framer = new JsonFramer(LIMITS);
    const chunk = Buffer.alloc(4);
    for (let at = 0; at < BYTES.length; at += 4) {
      const part = BYTES.subarray(at, at + 4);
      part.copy(chunk);
      framer.push(chunk.subarray(0, part.length), (message) => messages.push(message));
      chunk.fill(0xff);
    }
    assert.deepEqual(messages, MESSAGES);
  });

  test('skips white space between messages', () => {
    assert.deepEqual(frame([Buffer.from(' \n{"a":1}\r\n\t'), Buffer.from('\n{ "b" : 2 }\n')]), [
      { a: 1 },
      { b: 2 },
    ]);
  });

  test('delivers the messages before an invalid one', () => {
    const messages: unknown[] = [];
    const framer = new JsonFramer(LIMITS);
    assert.throws(() => framer.push(Buffer.from('{"a":1}{"b":2}x'), (message) => messages.push(message)));
    assert.deepEqual(messages, [{ a: 1 }, { b: 2 }]);
  });

  test('refuses bytes that do not start an object', () => {
    for (const bytes of [
      'HTTP/1.1 400 Bad Request',
      '[1]',
      '1',
      '"x"',
      'null',
      '}',
      Buffer.of(0x16, 3, 1),
      '\ufeff{}',
    ]) {
      assert.equal(code([bytes]), 'OVSDB_INVALID_JSON');
    }
  });

  test('refuses balanced bytes that are not JSON', () => {
    for (const bytes of [
      '{]',
      '{"a":}',
      '{"a" 1}',
      "{'a':1}",
      '{"a":1,}',
      '{"a":[1}]}',
      '{"a":01}',
      '{"a":"\n"}',
      '{"a":NaN}',
    ]) {
      assert.equal(code([bytes]), 'OVSDB_INVALID_JSON', bytes);
    }
  });

  test('refuses bytes that are not UTF-8, also across chunks', () => {
    const bad = [
      Buffer.of(0xff),
      Buffer.of(0xc3),
      Buffer.of(0xe2, 0x82),
      Buffer.of(0xed, 0xa0, 0x80),
      Buffer.of(0xc0, 0x80),
    ];
    for (const bytes of bad) {
      assert.equal(code(['{"a":"', bytes, '"}']), 'OVSDB_INVALID_UTF8');
    }
  });

  test('accepts messageBytesMax bytes and refuses a longer message before its end', () => {
    assert.equal(code([ofSize(100)], { messageBytesMax: 100 }), 'none');
    assert.equal(code([ofSize(101)], { messageBytesMax: 100 }), 'OVSDB_MESSAGE_TOO_BIG');
    assert.equal(code(Array.from(ofSize(100)), { messageBytesMax: 100 }), 'none');
    assert.equal(code(Array.from(ofSize(101)), { messageBytesMax: 100 }), 'OVSDB_MESSAGE_TOO_BIG');
    assert.equal(code([ofSize(100), ofSize(100), ofSize(100)], { messageBytesMax: 100 }), 'none');
    assert.equal(code([ofSize(100).slice(0, 99), 'xx'], { messageBytesMax: 100 }), 'OVSDB_MESSAGE_TOO_BIG');
  });

  test('accepts depthMax levels and refuses one more immediately', () => {
    assert.equal(code([ofDepth(12)]), 'none');
    assert.equal(code([ofDepth(13)]), 'OVSDB_MESSAGE_TOO_DEEP');
    assert.equal(code(['{"a":[[[[[[[[[[[[']), 'OVSDB_MESSAGE_TOO_DEEP');
    assert.equal(code(['{"a":"[[[[[[[[[[[[[[[["}']), 'none');
  });

  test('holds a long message that arrives byte by byte in about its own size', () => {
    const framer = new JsonFramer({ messageBytesMax: 2 ** 21, depthMax: 8 });
    framer.push(Buffer.from('{"a":"'), () => {});
    const before = process.memoryUsage();
    for (let count = 0; count < 2 ** 20; count += 1) {
      framer.push(Buffer.of(0x78), () => {});
    }
    const after = process.memoryUsage();
    assert.equal(framer.heldBytes, 2 ** 20 + 6);
    assert.ok(after.arrayBuffers - before.arrayBuffers < 64 * 2 ** 20, 'each chunk was kept');
  });
});
