// The exporter with a clock, a batch end and sessions that the test controls: our departures from the exporter of 2013, whose
// messages exact-messages.test.ts reproduces byte for byte, and the life of an exporter.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, test } from 'node:test';
import { SLICE_RECORDS_MAX } from '../../src/export/cache-flush.ts';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS, type ExporterOptions } from '../../src/export/exporter-options.ts';
import { OPEN_MESSAGES_MAX } from '../../src/export/message-packer.ts';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { DecodedMessage, DecodedRecord } from '../../src/ipfix/reader-types.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type RecordingSession, recordingSessions } from './recording-session.ts';

const SECOND = 1_000_000;

function target(port: number) {
  return { host: '192.0.2.1', port, text: `192.0.2.1:${port}` };
}

/** An exporter with its parts, and short names for what tests do with it. */
class Bench {
  readonly clock = new ManualClock(1_400_000_000_250_000);
  readonly deferred: (() => void)[] = [];
  readonly sessions: RecordingSession[];
  readonly exporter: Exporter;
  options: ExporterOptions;
  readonly #frame = Buffer.alloc(60);

  constructor(options: Partial<ExporterOptions> = {}, isReliable = false) {
    const { sessions, openSession } = recordingSessions(isReliable);
    this.sessions = sessions;
    this.options = { ...EXPORTER_DEFAULTS, recordFormat: 'original', targets: [target(1)], ...options };
    this.exporter = new Exporter('br0', this.options, {
      clock: this.clock,
      log: silentLogger,
      openSession,
      defer: (callback) => this.deferred.push(callback),
      hashSeed: 7,
    });
    this.exporter.start();
  }

  /** Samples an ARP frame of 60 bytes whose source is `flow`, with a weight in packets. */
  sample(flow: number, domain = 1, weight = 1): void {
    this.#frame.writeUInt32BE(flow, 8);
    this.#frame.writeUInt16BE(0x0806, 12);
    this.exporter.sample(this.#frame, 0, 60, 60, weight, domain, 5, 1);
  }

  endBatch(): void {
    for (const callback of this.deferred.splice(0)) {
      callback();
    }
  }

  configure(options: Partial<ExporterOptions>): void {
    this.options = { ...this.options, ...options };
    this.exporter.configure(this.options);
  }

  session(index = 0): RecordingSession {
    const session = this.sessions[index];
    assert.ok(session);
    return session;
  }

  /** Decodes all messages of a session; any problem fails the test. */
  read(index = 0): DecodedMessage[] {
    const reader = new MessageReader();
    return this.session(index).messages.map((message) => {
      const decoded = reader.read('s', message);
      assert.deepEqual(decoded.problems, []);
      return decoded;
    });
  }

  records(index = 0): DecodedRecord[] {
    return this.read(index).flatMap((message) => message.records);
  }
}

function valueOf(record: DecodedRecord | undefined, name: string): unknown {
  assert.ok(record);
  const index = record.template.fields.findIndex((field) => field.name === name);
  assert.ok(index >= 0, name);
  return record.values[index];
}

describe('departures from the exporter of 2013', () => {
  test('counts data records from 0 in sequence numbers, for each domain and collector', () => {
    const bench = new Bench({ targets: [target(1), target(2)] });
    for (const domain of [1, 1, 2]) {
      bench.sample(1, domain);
    }
    bench.endBatch();
    for (const domain of [2, 1]) {
      bench.sample(1, domain);
    }
    bench.endBatch();
    for (const index of [0, 1]) {
      const numbers = bench
        .read(index)
        .map((message) => [message.observationDomainId, message.sequenceNumber, message.records.length]);
      assert.deepEqual(numbers, [
        [1, 0, 0],
        [1, 0, 2],
        [2, 0, 0],
        [2, 0, 1],
        [2, 1, 1],
        [1, 2, 1],
      ]);
    }
  });

  test('sends templates to a collector that is added later, and counts from 0', () => {
    const bench = new Bench();
    bench.sample(1);
    bench.endBatch();
    bench.configure({ targets: [target(1), target(2)] });
    bench.sample(2);
    bench.endBatch();
    assert.equal(bench.session(0).templateMessages.length, 1);
    assert.deepEqual(
      bench.read(0).map((message) => message.sequenceNumber),
      [0, 0, 1],
    );
    assert.deepEqual(
      bench.read(1).map((message) => message.sequenceNumber),
      [0, 0],
    );
  });

  test('packs records of one batch into messages up to the size limit, those of one template into a set', () => {
    const bench = new Bench();
    for (let flow = 0; flow < 100; flow += 1) {
      bench.sample(flow);
    }
    bench.endBatch();
    const sizes = bench.session().dataMessages.map((message) => message.length);
    // 31 records of 44 bytes, with 20 bytes of headers, fill 1,384 of 1,400 bytes.
    assert.deepEqual(sizes, [1384, 1384, 1384, 20 + 7 * 44]);
    assert.equal(bench.records().length, 100);
  });

  test('sends templates of each domain before its first record, and again after the interval', () => {
    const bench = new Bench();
    const sample = (domain: number) => {
      bench.sample(1, domain);
      bench.endBatch();
    };
    sample(1);
    bench.clock.advance(300 * SECOND);
    sample(2);
    bench.clock.advance(300 * SECOND);
    sample(1);
    sample(2);
    bench.clock.advance(300 * SECOND);
    sample(1);
    sample(2);
    const templates = bench
      .read()
      .filter((message) => message.templates.length > 0)
      .map((message) => [message.observationDomainId, message.exportTimeSeconds - 1_400_000_001]);
    assert.deepEqual(templates, [
      [1, 0],
      [2, 300],
      [1, 600],
      [2, 900],
    ]);
  });

  test('writes an IP flow by its template when its sum of squares wraps to 0', () => {
    const bench = new Bench({ activeTimeoutSeconds: 60, flowsMax: 10 });
    const frame = Buffer.from(
      '020000000002020000000001080045000014000000004001000000000000' + '0a0000010a000002'.slice(8),
      'hex',
    );
    const ip = Buffer.concat([frame, Buffer.alloc(14 + 256 - frame.length)]);
    // 256 x 256 x 2^48 = 2^64: 2^17 samples of 2^31 packets.
    for (let count = 0; count < 2 ** 17; count += 1) {
      bench.exporter.sample(ip, 0, 270, 270, 2 ** 31, 1, 5, 1);
    }
    bench.clock.advance(60 * SECOND);
    const [record] = bench.records();
    assert.equal(record?.template.id, 258);
    assert.equal(valueOf(record, 'octetDeltaSumOfSquares'), 0);
    assert.equal(valueOf(record, 'packetDeltaCount'), 2 ** 48);
    assert.equal(valueOf(record, 'minimumIpTotalLength'), 256);
  });
});

describe('batches', () => {
  test('sends samples at the end of the batch without a cache', () => {
    const bench = new Bench();
    bench.sample(1);
    bench.sample(1);
    assert.equal(bench.session().messages.length, 0);
    assert.equal(bench.deferred.length, 1, 'one end for the batch');
    bench.endBatch();
    const [, data] = bench.read();
    assert.equal(data?.records.length, 2, 'each sample is a record');
    assert.equal(valueOf(data.records[0], 'flowEndReason'), 2);
  });

  test('starts another message when a batch crosses a second, so that no flow ends in the future', () => {
    const bench = new Bench();
    bench.sample(1);
    bench.clock.advance(SECOND);
    bench.sample(2);
    bench.endBatch();
    const data = bench.read().filter((message) => message.records.length > 0);
    assert.deepEqual(
      data.map((message) => [
        message.exportTimeSeconds - 1_400_000_000,
        valueOf(message.records[0], 'flowEndDeltaMicroseconds'),
      ]),
      [
        [1, 750_000],
        [2, 750_000],
      ],
    );
  });

  test('sends records of many domains in one batch, each in a message of its domain', () => {
    const bench = new Bench();
    const domains = OPEN_MESSAGES_MAX * 3;
    for (let round = 0; round < 2; round += 1) {
      for (let domain = 1; domain <= domains; domain += 1) {
        bench.sample(1, domain);
      }
    }
    bench.endBatch();
    const counts = new Map<number, number>();
    for (const message of bench.read()) {
      const before = counts.get(message.observationDomainId) ?? 0;
      counts.set(message.observationDomainId, before + message.records.length);
    }
    assert.equal(counts.size, domains);
    assert.ok([...counts.values()].every((count) => count === 2));
  });
});

describe('expiry', () => {
  test('sends a flow at its start plus the active timeout, on an idle switch', () => {
    const bench = new Bench({ activeTimeoutSeconds: 10, flowsMax: 10 });
    bench.sample(1, 1, 3);
    bench.clock.advance(4 * SECOND);
    bench.sample(1, 1, 3);
    bench.clock.advance(6 * SECOND - 1);
    assert.equal(bench.session().messages.length, 0);
    bench.clock.advance(1);
    const [record] = bench.records();
    assert.equal(valueOf(record, 'packetDeltaCount'), 6);
    assert.equal(valueOf(record, 'layer2OctetDeltaCount'), 360);
    assert.equal(valueOf(record, 'flowStartDeltaMicroseconds'), 10_750_000);
    assert.equal(valueOf(record, 'flowEndDeltaMicroseconds'), 6_750_000);
    assert.equal(valueOf(record, 'flowEndReason'), 2);
    assert.equal(bench.clock.pendingCount, 0, 'no timer is set while the cache is empty');
  });

  test('expires the oldest flow for lack of resources when the limit is exceeded', () => {
    const bench = new Bench({ activeTimeoutSeconds: 10, flowsMax: 2 });
    for (const flow of [1, 2, 1, 3]) {
      bench.sample(flow);
    }
    bench.endBatch();
    const [record, ...others] = bench.records();
    assert.equal(others.length, 0);
    assert.equal(valueOf(record, 'sourceMacAddress'), '00:00:00:00:00:01');
    assert.equal(valueOf(record, 'packetDeltaCount'), 2);
    assert.equal(valueOf(record, 'flowEndReason'), 5);
  });

  test('expires each sample for lack of resources with a timeout and a limit of 0 flows', () => {
    const bench = new Bench({ activeTimeoutSeconds: 10, flowsMax: 0 });
    bench.sample(1);
    bench.sample(1);
    bench.endBatch();
    assert.deepEqual(
      bench.records().map((record) => valueOf(record, 'flowEndReason')),
      [5, 5],
    );
  });

  test('expires many flows that are due at once in slices', () => {
    const bench = new Bench({ activeTimeoutSeconds: 10, flowsMax: 1_000_000 });
    const count = 2 * SLICE_RECORDS_MAX + 10;
    for (let flow = 0; flow < count; flow += 1) {
      bench.sample(flow);
    }
    bench.clock.advance(10 * SECOND);
    assert.equal(bench.records().length, SLICE_RECORDS_MAX);
    bench.endBatch();
    assert.equal(bench.records().length, 2 * SLICE_RECORDS_MAX);
    bench.endBatch();
    assert.equal(bench.records().length, count);
    assert.equal(bench.deferred.length, 0);
  });

  test('delays expiry while the backlog of a collector shrinks, and does not wait for one that is stuck', () => {
    const bench = new Bench({ activeTimeoutSeconds: 10, flowsMax: 1_000_000 });
    for (let flow = 0; flow < 4 * SLICE_RECORDS_MAX; flow += 1) {
      bench.sample(flow);
    }
    bench.session().backlogCount = 900;
    bench.clock.advance(10 * SECOND);
    assert.equal(bench.deferred.length, 0, 'waits');
    bench.session().backlogCount = 500;
    bench.clock.advance(2000);
    assert.equal(bench.deferred.length, 0, 'waits on, because it shrinks');
    bench.clock.advance(2000);
    assert.equal(bench.deferred.length, 1, 'goes on, because it does not shrink');
    bench.endBatch();
    bench.session().backlogCount = 0;
    assert.equal(bench.records().length, 2 * SLICE_RECORDS_MAX);
  });
});

describe('the wall clock', () => {
  for (const [name, step] of [
    ['forward', 5 * 3600 * SECOND],
    ['back', -5 * 3600 * SECOND],
  ] as const) {
    test(`a step ${name} shifts flows with their message and changes no delta and no interval`, () => {
      const bench = new Bench({ activeTimeoutSeconds: 10, flowsMax: 10 });
      bench.sample(1);
      bench.clock.advance(3 * SECOND);
      bench.sample(1);
      bench.clock.stepWall(step);
      bench.clock.advance(7 * SECOND - 1);
      assert.equal(bench.session().messages.length, 0, 'no early expiry');
      bench.clock.advance(1);
      const [, message] = bench.read();
      const [record] = message?.records ?? [];
      assert.equal(message?.exportTimeSeconds, 1_400_000_000 + 11 + step / SECOND);
      assert.equal(valueOf(record, 'flowStartDeltaMicroseconds'), 10_750_000);
      assert.equal(valueOf(record, 'flowEndDeltaMicroseconds'), 7_750_000);
      bench.sample(1);
      bench.clock.advance(10 * SECOND);
      assert.equal(bench.session().templateMessages.length, 1, 'templates keep their interval');
      bench.clock.advance(600 * SECOND);
      bench.sample(1);
      bench.clock.advance(10 * SECOND);
      assert.equal(bench.session().templateMessages.length, 2);
    });
  }
});

describe('configure', () => {
  test('changes nothing with equal options and targets in another order', () => {
    const bench = new Bench({ targets: [target(1), target(2)], activeTimeoutSeconds: 10, flowsMax: 10 });
    bench.sample(1);
    bench.configure({ targets: [target(2), target(1)] });
    assert.equal(bench.sessions.length, 2);
    assert.ok(bench.sessions.every((session) => !session.isStopped));
    assert.equal(bench.exporter.status().cache.flows, 1);
  });

  test('keeps the cache, and sends flows that are due now to the new collectors at once', () => {
    const bench = new Bench({ activeTimeoutSeconds: 60, flowsMax: 10 });
    bench.sample(1);
    bench.clock.advance(20 * SECOND);
    bench.sample(2);
    bench.configure({ targets: [target(2)], activeTimeoutSeconds: 15 });
    assert.ok(bench.session(0).isStopped);
    assert.equal(bench.session(0).messages.length, 0);
    const [record, ...others] = bench.records(1);
    assert.equal(valueOf(record, 'sourceMacAddress'), '00:00:00:00:00:01');
    assert.equal(valueOf(record, 'flowEndReason'), 2);
    assert.equal(others.length, 0);
    bench.clock.advance(15 * SECOND);
    assert.equal(bench.records(1).length, 2, 'the timer follows the new timeout');
  });

  test('expires the oldest flows at a lower limit', () => {
    const bench = new Bench({ activeTimeoutSeconds: 60, flowsMax: 10 });
    for (const flow of [1, 2, 3]) {
      bench.sample(flow);
    }
    bench.configure({ flowsMax: 1 });
    assert.deepEqual(
      bench
        .records()
        .map((record) => [valueOf(record, 'sourceMacAddress'), valueOf(record, 'flowEndReason')]),
      [
        ['00:00:00:00:00:01', 5],
        ['00:00:00:00:00:02', 5],
      ],
    );
  });

  test('sends records that wait for the end of the batch to the previous collectors', () => {
    const bench = new Bench();
    bench.sample(1);
    bench.configure({ targets: [target(2)] });
    bench.endBatch();
    assert.equal(bench.records(0).length, 1);
    assert.equal(bench.session(1).messages.length, 0);
  });

  test('keeps session, sequence and templates of a collector that stays', () => {
    const bench = new Bench({ targets: [target(1), target(2)] });
    bench.sample(1);
    bench.endBatch();
    bench.configure({ targets: [target(2), target(3)], messageBytesMax: 512 });
    bench.sample(1);
    bench.endBatch();
    assert.deepEqual(
      bench.sessions.map((session) => [session.isStarted, session.isStopped]),
      [
        [true, true],
        [true, false],
        [true, false],
      ],
    );
    assert.deepEqual(
      bench.read(1).map((message) => message.sequenceNumber),
      [0, 0, 1],
    );
    assert.equal(bench.session(2).templateMessages.length, 2, 'templates of 904 bytes in messages of 512');
    assert.ok(bench.session(2).messages.every((message) => message.length <= 512));
  });
});

describe('sessions', () => {
  test('the same address over UDP and over TCP is two collectors', () => {
    const bench = new Bench({ targets: [target(1), { ...target(1), transport: 'tcp' }] });
    bench.sample(1);
    bench.endBatch();
    assert.deepEqual(
      bench.sessions.map((session) => session.dataMessages.length),
      [1, 1],
    );
  });

  test('sends templates to a session that restarts, and counts from 0', () => {
    const bench = new Bench();
    const sample = () => {
      bench.sample(1);
      bench.endBatch();
    };
    sample();
    bench.session().listener.restarted();
    sample();
    const numbers = bench.session().messages.map((message) => message.readUInt32BE(8));
    assert.deepEqual(numbers, [0, 0, 0, 0]);
    assert.equal(bench.session().templateMessages.length, 2);
  });

  test('sends templates again to a collector that was unreachable, and continues its sequence', () => {
    const bench = new Bench();
    bench.sample(1);
    bench.endBatch();
    bench.session().listener.templatesDoubtful();
    bench.sample(1);
    bench.endBatch();
    assert.deepEqual(
      bench.read().map((message) => message.sequenceNumber),
      [0, 0, 1, 1],
    );
  });

  test('sends dropped templates again before the next records; lost records leave a gap', () => {
    const bench = new Bench();
    bench.session().accepts = false;
    bench.sample(1);
    bench.endBatch();
    bench.session().accepts = true;
    bench.sample(1);
    bench.endBatch();
    assert.deepEqual(
      bench.read().map((message) => [message.templates.length, message.sequenceNumber]),
      [
        [10, 1],
        [0, 1],
      ],
    );
  });

  test('sends templates once over a reliable connection', () => {
    const bench = new Bench({}, true);
    for (let round = 0; round < 3; round += 1) {
      bench.sample(1);
      bench.endBatch();
      bench.clock.advance(700 * SECOND);
    }
    assert.equal(bench.session().templateMessages.length, 1);
  });
});

describe('the path to a collector', () => {
  test('shortens the messages to all collectors, templates too, and lets them be longer again', () => {
    const bench = new Bench({ targets: [target(1), target(2)] });
    const longest = () =>
      Math.max(...bench.sessions.flatMap(({ messages }) => messages.map(({ length }) => length)));
    const sendMany = () => {
      for (let flow = 0; flow < 50; flow += 1) {
        bench.sample(flow);
      }
      bench.endBatch();
    };
    sendMany();
    assert.ok(longest() > 1300);
    const [first] = bench.sessions;
    assert.ok(first);
    first.messageBytesMax = 600;
    first.listener.messageBytesChanged?.();
    first.listener.templatesDoubtful();
    for (const session of bench.sessions) {
      session.messages.length = 0;
    }
    assert.equal(bench.exporter.status().messageBytesMax, 600);
    sendMany();
    assert.ok(longest() > 500 && longest() <= 600, `${longest()}`);
    assert.ok((bench.sessions[0]?.templateMessages.length ?? 0) > 1);
    bench.configure({ messageBytesMax: 550 });
    assert.equal(bench.exporter.status().messageBytesMax, 550);
    bench.configure({ messageBytesMax: 9000 });
    assert.equal(bench.exporter.status().messageBytesMax, 600);
    first.messageBytesMax = undefined;
    first.listener.messageBytesChanged?.();
    assert.equal(bench.exporter.status().messageBytesMax, 9000);
  });
});

describe('stop', () => {
  test('flushes the cache with forcedEnd, in slices, and closes the sessions', async () => {
    const bench = new Bench({ activeTimeoutSeconds: 60, flowsMax: 1_000_000 });
    const count = SLICE_RECORDS_MAX + 1;
    for (let flow = 0; flow < count; flow += 1) {
      bench.sample(flow);
    }
    const stopped = bench.exporter.stop();
    assert.equal(bench.exporter.status().state, 'stopping');
    assert.equal(bench.session().isStopped, false);
    bench.endBatch();
    await stopped;
    assert.ok(bench.session().isStopped);
    const records = bench.records();
    assert.equal(records.length, count);
    assert.ok(records.every((record) => valueOf(record, 'flowEndReason') === 4));
    assert.equal(bench.clock.pendingCount, 0);
    bench.sample(1);
    const { state, samplesIgnored, samples } = bench.exporter.status();
    assert.deepEqual([state, samplesIgnored, samples], ['stopped', 1, count]);
    await bench.exporter.stop();
  });

  test('waits for collectors that were removed before', async () => {
    const bench = new Bench();
    const leaving = new EventEmitter();
    bench.session().stop = async () => {
      await once(leaving, 'left');
      return 0;
    };
    bench.configure({ targets: [target(2)] });
    const stopped = bench.exporter.stop();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    assert.equal(bench.exporter.status().state, 'stopping');
    leaving.emit('left');
    await stopped;
  });
});

test('counts samples, faults of frames, records by reason, messages and domains in its status', () => {
  const bench = new Bench({ activeTimeoutSeconds: 10, flowsMax: 2 });
  for (const flow of [1, 2, 3]) {
    bench.sample(flow, 4);
  }
  bench.exporter.sample(Buffer.alloc(10), 0, 10, 10, 1, 4, 5, 1);
  bench.endBatch();
  bench.clock.advance(10 * SECOND);
  const status = bench.exporter.status();
  assert.equal(status.name, 'br0');
  assert.equal(status.state, 'running');
  assert.equal(status.samples, 4);
  assert.deepEqual(status.malformed, { ethernet: 1, ipHeader: 0, ipv6Extension: 0, transport: 0 });
  assert.deepEqual(status.records, { activeTimeout: 2, forcedEnd: 0, lackOfResources: 2 });
  assert.equal(status.messages, 2);
  const [collector] = status.collectors;
  assert.equal(collector?.target, '192.0.2.1:1');
  assert.deepEqual(collector.domains, [
    { observationDomainId: 4, sequenceNumber: 4, lastTemplateTimeSeconds: 1_400_000_001 },
  ]);
  assert.equal(collector.lastTemplateTimeSeconds, 1_400_000_001);
});
