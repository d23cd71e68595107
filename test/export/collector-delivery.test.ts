// An exporter that gives its records to one of several collectors, with sessions that the test lets fail and a clock that it controls.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeliveryMode } from '../../src/export/collector-choice.ts';
import { PROBE_SECONDS } from '../../src/export/collector-streams.ts';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS, type ExporterOptions } from '../../src/export/exporter-options.ts';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type RecordingSession, recordingSessions } from './recording-session.ts';

const FAILBACK_SECONDS = 60;

/** An exporter with some collectors. */
class Bench {
  readonly clock = new ManualClock();
  readonly sessions: RecordingSession[];
  readonly exporter: Exporter;
  readonly options: ExporterOptions;
  readonly #frame = Buffer.alloc(60);
  #deferred: (() => void)[] = [];
  #flows = 0;

  constructor(mode: DeliveryMode, count: number, options: Partial<ExporterOptions> = {}) {
    const { sessions, openSession } = recordingSessions();
    this.sessions = sessions;
    this.options = {
      ...EXPORTER_DEFAULTS,
      targets: Array.from({ length: count }, (_, index) => ({
        host: '192.0.2.1',
        port: 1 + index,
        text: `collector ${index}`,
      })),
      delivery: { mode, failbackSeconds: FAILBACK_SECONDS },
      ...options,
    };
    const defer = (callback: () => void) => this.#deferred.push(callback);
    this.exporter = new Exporter('br0', this.options, {
      clock: this.clock,
      log: silentLogger,
      openSession,
      defer,
      hashSeed: 7,
    });
    this.exporter.start();
  }

  /** Sends records of this many new flows, in the domains 1 and 2 in turn. */
  send(count: number): void {
    for (let flow = 0; flow < count; flow += 1) {
      this.#flows += 1;
      this.#frame.writeUInt32BE(this.#flows, 8);
      this.#frame.writeUInt16BE(0x0806, 12);
      this.exporter.sample(this.#frame, 0, 60, 60, 1, 1 + (flow % 2), 5, 1);
    }
    for (const callback of this.#deferred.splice(0)) {
      callback();
    }
  }

  /** Advances the clock, sending nothing. */
  pass(seconds: number): void {
    this.clock.advance(seconds * 1_000_000);
  }

  session(index: number): RecordingSession {
    const session = this.sessions[index];
    assert.ok(session);
    return session;
  }

  /** Records of each collector so far; fails on a gap in sequence numbers, or a record without its template before. */
  records(): number[] {
    return this.sessions.map(({ messages }) => {
      const reader = new MessageReader();
      return messages.reduce((sum, message) => {
        const { problems, records } = reader.read('s', message);
        assert.deepEqual(problems, []);
        return sum + records.length;
      }, 0);
    });
  }

  inUse(): boolean[] {
    return this.exporter.status().collectors.map(({ isInUse }) => isInUse);
  }
}

test('failover sends to the preferred collector, to the next one while it fails, and back after the hold time', () => {
  const bench = new Bench('failover', 3);
  bench.send(10);
  assert.deepEqual(bench.records(), [10, 0, 0]);
  bench.session(0).health = 'failed';
  bench.send(10);
  assert.deepEqual(bench.records(), [10, 10, 0]);
  bench.session(1).health = 'failed';
  bench.send(10);
  assert.deepEqual(bench.records(), [10, 10, 10]);
  assert.deepEqual(bench.inUse(), [false, false, true]);
  bench.session(0).health = 'works';
  bench.pass(FAILBACK_SECONDS);
  bench.send(10);
  assert.deepEqual(bench.records(), [10, 10, 20]);
  bench.pass(2);
  bench.send(10);
  assert.deepEqual(bench.records(), [20, 10, 20]);
  assert.deepEqual(bench.exporter.status().delivery, {
    mode: 'failover',
    failbackSeconds: FAILBACK_SECONDS,
    changes: 3,
  });
});

test('a change of other options does not end the hold time of a collector that has failed', () => {
  const bench = new Bench('failover', 2);
  bench.session(0).health = 'failed';
  bench.send(10);
  bench.session(0).health = 'works';
  bench.pass(5);
  bench.exporter.configure({ ...bench.options, templateIntervalSeconds: 60 });
  bench.send(10);
  assert.deepEqual(bench.records(), [0, 20]);
  assert.equal(bench.exporter.status().delivery?.changes, 1);
  bench.pass(FAILBACK_SECONDS);
  bench.send(10);
  assert.deepEqual(bench.records(), [10, 20]);
});

test('templates of all domains precede the first records of a collector after a while', () => {
  const bench = new Bench('failover', 2);
  bench.send(4);
  for (const [failed, works] of [
    [0, 1],
    [1, 0],
  ] as const) {
    bench.session(failed).health = 'failed';
    bench.session(works).health = 'works';
    bench.pass(1);
    bench.session(works).messages.length = 0;
    bench.send(4);
    const sets = bench
      .session(works)
      .messages.map((message) => [message.readUInt32BE(12), message.readUInt16BE(16) === 2]);
    for (const domain of [1, 2]) {
      const ofDomain = sets.filter(([each]) => each === domain).map(([, isTemplate]) => isTemplate);
      assert.deepEqual([ofDomain[0], ofDomain.at(-1)], [true, false], 'templates first, then records');
    }
  }
});

test('templates of all domains precede the first records after a change of the order or the mode', () => {
  const bench = new Bench('failover', 2);
  bench.session(0).health = 'failed';
  bench.send(4);
  bench.session(0).health = 'works';
  bench.pass(FAILBACK_SECONDS + 1);
  bench.pass(1);
  bench.send(4);
  assert.deepEqual(
    [bench.records(), bench.inUse()],
    [
      [4, 4],
      [true, false],
    ],
  );
  const [first, second] = bench.options.targets;
  assert.ok(first && second);
  const domainsWithTemplates = (from: number) =>
    new Set(
      bench
        .session(1)
        .templateMessages.slice(from)
        .map((message) => message.readUInt32BE(12)),
    );
  const changes: readonly Partial<ExporterOptions>[] = [
    { targets: [second, first] },
    { targets: [first, second] },
    { targets: [first, second], delivery: { mode: 'all', failbackSeconds: FAILBACK_SECONDS } },
  ];
  for (const change of changes) {
    const before = bench.session(1).templateMessages.length;
    const [, records = 0] = bench.records();
    bench.exporter.configure({ ...bench.options, ...change });
    bench.send(4);
    const index: number = change.targets?.indexOf(second) ?? 1;
    const isUsed: boolean = bench.inUse()[index] === true;
    assert.deepEqual([...domainsWithTemplates(before)], isUsed ? [1, 2] : []);
    assert.equal(bench.records()[1], records + (isUsed ? 4 : 0));
  }
});

test('a collector that is not used gets templates alone, and none while it is not connected', () => {
  const bench = new Bench('failover', 3);
  bench.pass(2 * PROBE_SECONDS);
  assert.deepEqual(
    bench.sessions.map(({ messages }) => messages.length),
    [0, 0, 0],
    'no domain is known yet',
  );
  bench.send(2);
  const before = bench.session(0).messages.length;
  bench.session(2).isConnected = false;
  bench.pass(2 * PROBE_SECONDS);
  assert.equal(bench.session(0).messages.length, before);
  const { messages, templateMessages } = bench.session(1);
  assert.deepEqual(
    [messages.length, templateMessages.length],
    [4, 4],
    'two times the two template messages of a domain',
  );
  assert.equal(bench.session(2).messages.length, 0);
});

test('balance gives each flow to one collector, moves those of one that fails, and back', () => {
  const bench = new Bench('balance', 3);
  bench.send(300);
  const first = bench.records();
  assert.equal(
    first.reduce((sum, count) => sum + count),
    300,
  );
  assert.ok(
    first.every((count) => count > 60 && count < 140),
    first.join(' '),
  );
  bench.session(1).health = 'failed';
  bench.pass(1);
  bench.send(300);
  const second = bench.records();
  assert.equal(second[1], first[1]);
  assert.equal(
    second.reduce((sum, count) => sum + count),
    600,
  );
  assert.ok(
    second.every((count, index) => index === 1 || count - (first[index] ?? 0) > 110),
    second.join(' '),
  );
  assert.deepEqual(bench.inUse(), [true, false, true]);
  bench.session(1).health = 'works';
  bench.pass(FAILBACK_SECONDS + 2);
  bench.send(300);
  const third = bench.records();
  assert.ok((third[1] ?? 0) - (second[1] ?? 0) > 60, third.join(' '));
  assert.equal(
    third.reduce((sum, count) => sum + count),
    900,
  );
});

test('balance keeps a flow of the cache with its collector in each of its records', () => {
  const bench = new Bench('balance', 4, { activeTimeoutSeconds: 1, flowsMax: 1000 });
  const frame = Buffer.alloc(60);
  frame.writeUInt16BE(0x0806, 12);
  for (let round = 0; round < 5; round += 1) {
    bench.exporter.sample(frame, 0, 60, 60, 1, 1, 5, 1);
    bench.send(0);
    bench.pass(2);
    bench.send(0);
  }
  assert.deepEqual(
    bench.records().toSorted((a, b) => a - b),
    [0, 0, 0, 5],
  );
});

test('while none works, the first one gets the records, which its session counts as lost', () => {
  const bench = new Bench('failover', 2);
  for (const session of bench.sessions) {
    session.health = 'failed';
    session.accepts = false;
  }
  bench.send(5);
  assert.deepEqual(bench.records(), [0, 0]);
  bench.session(1).health = 'works';
  bench.session(1).accepts = true;
  bench.send(5);
  assert.deepEqual(bench.records(), [0, 5]);
});

test('a change of the mode keeps the sessions, and an order of another meaning is a change', () => {
  const bench = new Bench('all', 2);
  bench.send(4);
  assert.deepEqual(bench.records(), [4, 4]);
  const delivery = { mode: 'failover', failbackSeconds: 1 } as const;
  bench.exporter.configure({ ...bench.options, delivery });
  bench.send(4);
  assert.deepEqual(bench.records(), [8, 4]);
  bench.exporter.configure({ ...bench.options, delivery, targets: bench.options.targets.toReversed() });
  bench.send(4);
  assert.deepEqual(bench.records(), [8, 8]);
  assert.equal(bench.sessions.length, 2);
  bench.exporter.configure({ ...bench.options, delivery: { mode: 'balance', failbackSeconds: 1 } });
  bench.send(100);
  assert.equal(
    bench.records().reduce((sum, count) => sum + count),
    116,
  );
  bench.exporter.configure({ ...bench.options, delivery: undefined });
  bench.send(4);
  assert.equal(
    bench.records().reduce((sum, count) => sum + count),
    124,
  );
});

test('a stop flushes to the chosen collector, and leaves no timer', async () => {
  const bench = new Bench('failover', 2, { activeTimeoutSeconds: 60, flowsMax: 1000 });
  bench.send(20);
  const stopped = bench.exporter.stop();
  bench.send(0);
  await stopped;
  assert.deepEqual(bench.records(), [20, 0]);
  assert.equal(bench.clock.pendingCount, 0);
});

test('what a removed collector lost stays counted', async () => {
  const bench = new Bench('all', 2);
  bench.send(10);
  const removed = bench.session(1);
  removed.recordsLost = 4;
  bench.exporter.configure({ ...bench.options, targets: bench.options.targets.slice(0, 1) });
  // What waits for it is lost when it is closed.
  removed.recordsLost = 7;
  await bench.exporter.stop();
  const { collectors, removedCollectors } = bench.exporter.status();
  assert.equal(collectors.length, 1);
  assert.deepEqual(removedCollectors, { recordsLost: 7, recordsDeliveryUnknown: 0 });
});
