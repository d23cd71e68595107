import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  CLOSE_NOTICE_MS,
  UNCONFIRMED_BYTES_MAX,
  UnconfirmedRecords,
} from '../../src/export/unconfirmed-records.ts';
import {
  MESSAGE_OVERHEAD_BYTES,
  QUEUE_RESERVE_BYTES,
  QueueMemory,
  WaitingMessages,
} from '../../src/export/waiting-messages.ts';

/** Returns a message of an observation domain, with a serial number behind its header. */
function messageOf(domain: number, serial: number, size: number): Buffer {
  const message = Buffer.alloc(size);
  message.writeUInt32BE(domain, 12);
  message.writeUInt32BE(serial, 16);
  return message;
}

test('keeps messages in order up to a number of bytes, and says what was refused before each', () => {
  const step = fc.record({
    isPush: fc.boolean(),
    domain: fc.integer({ min: 0, max: 2 }),
    size: fc.integer({ min: 20, max: 16_000 }),
    records: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const bytesMax = QUEUE_RESERVE_BYTES + 40_000;
      const memory = new QueueMemory(40_000 - 100);
      const shared = (of: number) => Math.max(0, of - QUEUE_RESERVE_BYTES);
      const queue = new WaitingMessages(bytesMax, memory);
      const model: { serial: number; size: number; records: number; lost: number }[] = [];
      const lost = [0, 0, 0];
      let bytes = 0;
      for (const [serial, { isPush, domain, size, records }] of steps.entries()) {
        if (isPush) {
          const fits = bytes + size + MESSAGE_OVERHEAD_BYTES <= bytesMax - 100;
          const message = messageOf(domain, serial, size);
          assert.equal(queue.push(message, size, records), fits);
          message.fill(0xff);
          if (fits) {
            bytes += size + MESSAGE_OVERHEAD_BYTES;
            model.push({ serial, size, records, lost: lost[domain] ?? 0 });
          }
          lost[domain] = fits ? 0 : (lost[domain] ?? 0) + records;
        } else if (model.length > 0) {
          const { oldest } = queue;
          const expected = model.shift();
          const found = {
            serial: oldest?.bytes.readUInt32BE(16),
            size: oldest?.size,
            records: oldest?.recordCount,
            lost: oldest?.lostBefore,
          };
          assert.deepEqual(found, expected);
          queue.shift();
          bytes -= (expected?.size ?? 0) + MESSAGE_OVERHEAD_BYTES;
        }
        assert.deepEqual([queue.count, queue.bytes, memory.bytes], [model.length, bytes, shared(bytes)]);
      }
    }),
  );
});

test('a queue whose collector works is not starved by full ones of collectors that are down', () => {
  const memory = new QueueMemory(100_000);
  const down = new WaitingMessages(1_000_000, memory);
  while (down.push(messageOf(1, 0, 1400), 1400, 20)) {
    // Until the shared memory is taken.
  }
  const working = new WaitingMessages(1_000_000, memory);
  let refused = 0;
  for (let serial = 0; serial < 1000; serial += 1) {
    refused += working.push(messageOf(1, serial, 1400), 1400, 20) ? 0 : 1;
    if (working.count === 32) {
      while (working.count > 0) {
        working.shift();
      }
    }
  }
  assert.equal(refused, 0);
  while (down.count > 0) {
    down.shift();
  }
  assert.equal(memory.bytes, working.bytes > QUEUE_RESERVE_BYTES ? working.bytes - QUEUE_RESERVE_BYTES : 0);
});

test('remembers the refused records of a number of domains', () => {
  const queue = new WaitingMessages(450);
  for (let domain = 0; domain < 5000; domain += 1) {
    queue.push(messageOf(domain, 0, 200), 200, 1);
  }
  const lostOf = (domain: number) => {
    queue.shift();
    assert.ok(queue.push(messageOf(domain, 1, 20), 20, 1));
    return queue.oldest?.lostBefore;
  };
  assert.deepEqual([lostOf(10), lostOf(4999)], [0, 1]);
});

test('reuses its memory over a long run without growing', () => {
  const queue = new WaitingMessages(1_000_000);
  for (let serial = 0; serial < 10_000; serial += 1) {
    assert.ok(queue.push(messageOf(0, serial, 100), 100, 1));
    if (serial >= 1500) {
      assert.equal(queue.oldest?.bytes.readUInt32BE(16), serial - 1500);
      queue.shift();
    }
  }
  assert.equal(queue.count, 1500);
});

test('the records of the newest bytes are unconfirmed after a reset, those of the newest second or two after an orderly close', () => {
  const records = new UnconfirmedRecords();
  const size = 1000;
  const count = (3 * UNCONFIRMED_BYTES_MAX) / size;
  for (let index = 0; index < count; index += 1) {
    records.add(size, 2, index);
  }
  const unknown = records.take(false, count);
  const bytes = (unknown / 2) * size;
  assert.ok(bytes >= UNCONFIRMED_BYTES_MAX && bytes <= UNCONFIRMED_BYTES_MAX + 2 * 65_536 + size, `${bytes}`);
  assert.equal(records.take(false, count), 0, 'they are forgotten');

  const secondMicros = CLOSE_NOTICE_MS * 1000;
  records.add(size, 100, 10 * secondMicros);
  records.add(size, 10, 11.5 * secondMicros);
  records.add(size, 1, 12.6 * secondMicros);
  assert.equal(records.take(true, 12.7 * secondMicros), 11);
  records.add(size, 5, 20 * secondMicros);
  assert.equal(records.take(true, 30 * secondMicros), 0);
});
