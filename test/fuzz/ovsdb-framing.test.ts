// Hostile bytes and hostile JSON for the OVSDB library: each input must end in messages, in an incomplete message, or in an
// OvsdbError, with bounded memory, and with the same result in any chunks. FUZZ_SEED repeats a run.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { OvsdbClient, OvsdbError, Replica } from '../../src/ovsdb-client/index.ts';
import { JsonFramer } from '../../src/ovsdb-client/json-framer.ts';
import { decodeMonitorReply, decodeUpdate } from '../../src/ovsdb-client/monitor.ts';
import { decodeResults } from '../../src/ovsdb-client/operations.ts';
import { intersect, ReplicaContent } from '../../src/ovsdb-client/replica-content.ts';
import { parseDatabaseSchema } from '../../src/ovsdb-client/schema.ts';
import { ScriptedStream, turn } from '../ovsdb-client/scripted-stream.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31));
const STREAMS = 600_000;
const DOCUMENTS = 400_000;
const SESSIONS = 5_000;
/** Growth of the heap, in bytes: garbage that is not collected yet. */
const MEMORY_GROWTH_MAX = 300 * 1024 * 1024;

const LIMITS = { messageBytesMax: 200, depthMax: 12 };
const UUID = '11111111-1111-4111-8111-111111111111';

/** Bytes with a meaning for the scanner, and some that UTF-8 or JSON forbid. */
const TELLING_BYTES = Buffer.from([...Buffer.from('{}[]":,\\ \n0-e'), 0x00, 0x80, 0xbf, 0xc3, 0xe2, 0xff]);

const MESSAGES = [
  {},
  { id: 1, result: { locked: true }, error: null },
  { id: null, method: 'echo', params: ['}{', '\\"', 'é€😀'] },
  { id: 3, result: null, error: { error: 'syntax error', details: 'x', syntax: '{"a":[1]}' } },
  {
    id: null,
    method: 'update2',
    params: ['monitor-1', { T: { [UUID]: { modify: { s: ['set', [1, 2]] } } } }],
  },
].map((message) => Buffer.from(JSON.stringify(message)));

type Random = (below: number) => number;

/** xorshift32. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function usedBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Returns a few messages with some changed bytes, or only bytes with a meaning. Valid in `memory` until the next call. */
function hostileStream(random: Random, memory: Buffer): Buffer {
  let size = 0;
  if (random(8) === 0) {
    size = random(60);
    for (let at = 0; at < size; at += 1) {
      memory[at] = TELLING_BYTES[random(TELLING_BYTES.length)] ?? 0;
    }
    return memory.subarray(0, size);
  }
  for (let count = 1 + random(3); count > 0; count -= 1) {
    size += MESSAGES[random(MESSAGES.length)]?.copy(memory, size) ?? 0;
  }
  for (let changes = random(4); changes > 0; changes -= 1) {
    const at = random(size);
    const kind = random(4);
    if (kind === 0) {
      memory[at] = random(256);
    } else if (kind === 1) {
      memory[at] = TELLING_BYTES[random(TELLING_BYTES.length)] ?? 0;
    } else if (kind === 2) {
      memory.copyWithin(at, random(size), size);
    } else {
      size = Math.max(1, at);
    }
  }
  return memory.subarray(0, size);
}

/** Returns the messages of a stream, and the code of the error at its end if there is one. */
function outcome(stream: Buffer, cut: (size: number) => number): unknown[] {
  const framer = new JsonFramer(LIMITS);
  const seen: unknown[] = [];
  try {
    for (let at = 0; at < stream.length; ) {
      const end = Math.min(stream.length, at + cut(stream.length - at));
      framer.push(stream.subarray(at, end), (message) => seen.push(message));
      assert.ok(framer.heldBytes <= LIMITS.messageBytesMax);
      at = end;
    }
    seen.push(framer.heldBytes);
  } catch (error) {
    if (!(error instanceof OvsdbError)) {
      throw error;
    }
    seen.push(error.code);
  }
  return seen;
}

test(`reads messages or a named error from ${STREAMS} hostile streams, in any chunks (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  const memory = Buffer.alloc(4096);
  const before = usedBytes();
  const codes = new Map<unknown, number>();
  for (let round = 0; round < STREAMS; round += 1) {
    const stream = hostileStream(random, memory);
    const cut = outcome(stream, (size) => 1 + random(size));
    const end = cut.at(-1);
    const kind = typeof end === 'number' ? 'no error' : end;
    codes.set(kind, (codes.get(kind) ?? 0) + 1);
    if (round % 4 === 0) {
      const whole = outcome(stream, (size) => size);
      assert.deepEqual(cut, whole, `round ${round}: ${stream.toString('hex')}`);
    }
  }
  assert.ok(usedBytes() - before < MEMORY_GROWTH_MAX);
  // Every kind of fault must occur, or it is not tested.
  for (const code of [
    'no error',
    'OVSDB_INVALID_JSON',
    'OVSDB_INVALID_UTF8',
    'OVSDB_MESSAGE_TOO_BIG',
    'OVSDB_MESSAGE_TOO_DEEP',
  ]) {
    assert.ok((codes.get(code) ?? 0) > 10, `${code} came ${codes.get(code) ?? 0} times`);
  }
});

const SCHEMA_JSON = {
  name: 'D',
  version: '1.0.0',
  tables: {
    T: {
      columns: {
        n: { type: 'integer' },
        o: { type: { key: { type: 'string', enum: ['set', ['a', 'b']] }, min: 0 } },
        s: { type: { key: 'integer', min: 0, max: 'unlimited' } },
        m: { type: { key: 'string', value: { type: 'uuid', refTable: 'T' }, min: 0, max: 5 } },
      },
      indexes: [['n']],
    },
  },
};
const SCHEMA = parseDatabaseSchema(SCHEMA_JSON);
const MONITORED = intersect(SCHEMA, { T: ['n', 'o', 's', 'm'] }).monitored;
const ROW = { n: 5, o: ['set', ['a']], s: ['set', [1, 2]], m: ['map', [['k', ['uuid', UUID]]]] };
const CONTENT = new ReplicaContent(MONITORED).update(
  decodeMonitorReply('monitor_cond', { T: { [UUID]: { initial: ROW } } }),
).content;

/** One of each document that the server sends, and its reader. */
const DOCUMENTS_READ: readonly { json: unknown; read: (json: unknown) => unknown }[] = [
  { json: SCHEMA_JSON, read: parseDatabaseSchema },
  {
    json: ['m', { T: { [UUID]: { modify: ROW }, new: { insert: ROW }, gone: { delete: null } } }],
    read: (json) => CONTENT.update(decodeUpdate('update2', json as unknown[])),
  },
  {
    json: ['m', UUID, { T: { [UUID]: { modify: { m: ROW.m, s: 3 } } } }],
    read: (json) => CONTENT.update(decodeUpdate('update3', json as unknown[])),
  },
  {
    json: ['m', { T: { [UUID]: { old: { n: 1 }, new: ROW } } }],
    read: (json) => CONTENT.update(decodeUpdate('update', json as unknown[])),
  },
  {
    json: [false, UUID, { T: { [UUID]: { initial: ROW } } }],
    read: (json) =>
      new ReplicaContent(MONITORED)
        .update(decodeMonitorReply('monitor_cond_since', json))
        .content.since(CONTENT, ['T']),
  },
  {
    json: [{ uuid: ['uuid', UUID] }, { count: 1 }, { rows: [{ _uuid: ['uuid', UUID], ...ROW }] }, {}],
    read: (json) =>
      decodeResults(
        json,
        [
          { op: 'insert', table: 'T', row: {} },
          { op: 'delete', table: 'T', where: [] },
          { op: 'select', table: 'T', where: [] },
          { op: 'comment', comment: '' },
        ],
        SCHEMA,
      ),
  },
];

const REPLACEMENTS: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  '',
  'T',
  'set',
  'unlimited',
  [],
  {},
  [[]],
  ['set'],
  ['set', []],
  ['set', [1, 1]],
  ['map', [[]]],
  ['map', [['k', 1]]],
  ['uuid', UUID],
  ['uuid'],
  ['named-uuid', 'x'],
  { error: 'aborted' },
  { delete: null },
  JSON.parse('{"__proto__": {"n": 1}}'),
  { constructor: 1 },
  UUID,
];

/** Returns a copy with some of its parts replaced, removed or renamed; the other parts are shared. */
function hostileDocument(json: unknown, random: Random): unknown {
  if (random(12) === 0) {
    return REPLACEMENTS[random(REPLACEMENTS.length)];
  }
  if (typeof json !== 'object' || json === null) {
    return json;
  }
  if (Array.isArray(json)) {
    const copy: unknown[] = [...(json as unknown[])];
    const at = random(copy.length + 1);
    if (at < copy.length) {
      copy[at] = hostileDocument(copy[at], random);
    } else {
      copy.length = random(copy.length + 1);
    }
    return copy;
  }
  const entries = Object.entries(json);
  const at = random(entries.length + 1);
  const entry = entries[at];
  if (entry !== undefined) {
    const name = random(20) === 0 ? ['__proto__', 'x', '_uuid', 'toString'][random(4)] : entry[0];
    entries[at] = [name ?? '', hostileDocument(entry[1], random)];
  } else {
    entries.pop();
  }
  return Object.fromEntries(entries);
}

test(`reads ${DOCUMENTS} hostile documents or refuses them with a named error (seed ${SEED})`, () => {
  const random = randomFrom(SEED + 1);
  const before = usedBytes();
  let refused = 0;
  for (let round = 0; round < DOCUMENTS; round += 1) {
    const { json, read } = DOCUMENTS_READ[round % DOCUMENTS_READ.length] ?? assert.fail();
    const hostile = hostileDocument(json, random);
    // The peer forwards only arrays as parameters.
    const document = Array.isArray(json) && !Array.isArray(hostile) ? [hostile] : hostile;
    try {
      read(document);
    } catch (error) {
      assert.ok(error instanceof OvsdbError, `round ${round}, ${String(error)}: ${JSON.stringify(document)}`);
      refused += 1;
    }
  }
  assert.ok(usedBytes() - before < MEMORY_GROWTH_MAX);
  assert.ok(refused > DOCUMENTS / 10 && refused < (DOCUMENTS * 9) / 10, `${refused} were refused`);
  assert.equal(Object.hasOwn(Object.prototype, 'n'), false);
});

test(`settles all requests of ${SESSIONS} sessions with a hostile server (seed ${SEED})`, async () => {
  const random = randomFrom(SEED + 2);
  const memory = Buffer.alloc(4096);
  for (let round = 0; round < SESSIONS; round += 1) {
    const stream = new ScriptedStream();
    const client = new OvsdbClient(stream, LIMITS);
    const replica = new Replica({ database: 'D', tables: { T: ['n', 's'] }, onChange: () => {} });
    const waiting = Promise.allSettled([client.probe(), replica.attach(client), client.lock('l')]);
    for (let chunks = 1 + random(3); chunks > 0; chunks -= 1) {
      stream.receiveBytes(Buffer.from(hostileStream(random, memory)));
    }
    if (round % 50 === 0) {
      await turn();
    }
    stream.hangUp();
    const { by, error } = await client.ended;
    assert.ok(by === 'server' || error instanceof OvsdbError, `round ${round}`);
    for (const outcome of await waiting) {
      assert.ok(outcome.status === 'fulfilled' || outcome.reason instanceof OvsdbError, `round ${round}`);
    }
  }
});
