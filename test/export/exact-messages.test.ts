// Three runs of the exporter of 2013 with a frozen clock (test/vectors/exact-messages.json), byte for byte. Our intended
// departures are normalised before comparing: sequence numbers, several records in a message, and the time of templates by
// domain (which makes no difference with one domain). exporter.test.ts tests each of them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Exporter } from '../../src/export/exporter.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { recordingSessions } from './recording-session.ts';

interface Run {
  readonly name: string;
  readonly config: {
    readonly obs_domain_id: number;
    readonly obs_point_id: number;
    readonly cache_active_timeout?: number;
    readonly cache_max_flows?: number;
  };
  readonly packets: readonly { readonly clock_us: number; readonly hex: string }[];
  readonly events: readonly { readonly clock_us?: number }[];
  readonly datagrams: readonly string[];
}

const runs = JSON.parse(
  readFileSync(new URL('../vectors/exact-messages.json', import.meta.url), 'utf8'),
) as Run[];

for (const run of runs) {
  test(`sends the messages of the exporter of 2013 in the run ${run.name}`, () => {
    const expected = run.datagrams.map((hex) => Buffer.from(hex, 'hex'));
    for (const message of expected) {
      assert.equal(message.readUInt16BE(2), message.length);
    }
    const sent = play(run);
    assert.deepEqual(
      sent.flatMap(oneRecordEach).map((message) => message.toString('hex')),
      expected.map((message) => withoutSequenceNumber(message).toString('hex')),
    );
  });
}

/** Moves the clock to each time of the run, in order, and samples the packets of that time. */
function play(run: Run): readonly Buffer[] {
  const { config, packets } = run;
  const moments = new Set([
    ...packets.map((packet) => packet.clock_us),
    ...run.events.flatMap((event) => event.clock_us ?? []),
  ]);
  const [first = 0, ...later] = [...moments].sort((a, b) => a - b);
  const clock = new ManualClock(first);
  const deferred: (() => void)[] = [];
  const { sessions, openSession } = recordingSessions();
  const exporter = new Exporter(
    run.name,
    {
      targets: [{ host: '192.0.2.1', port: 4739, text: '192.0.2.1:4739' }],
      activeTimeoutSeconds: config.cache_active_timeout ?? 0,
      flowsMax: config.cache_max_flows ?? 0,
      templateIntervalSeconds: 600,
      messageBytesMax: 1400,
    },
    { clock, log: silentLogger, openSession, defer: (callback) => deferred.push(callback), hashSeed: 1 },
  );
  exporter.start();
  for (const moment of [first, ...later]) {
    clock.advance(moment - clock.wallMicros());
    for (const packet of packets) {
      if (packet.clock_us !== moment) {
        continue;
      }
      const frame = Buffer.from(packet.hex, 'hex');
      exporter.sample(frame, 0, frame.length, frame.length, 1, config.obs_domain_id, config.obs_point_id);
    }
    for (const callback of deferred.splice(0)) {
      callback();
    }
  }
  const [session] = sessions;
  assert.ok(session);
  return session.messages;
}

/** Splits a message of several records into one message for each record, with its own set and the same header. */
function oneRecordEach(message: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 16; at < message.length; at += message.readUInt16BE(at + 2)) {
    const setId = message.readUInt16BE(at);
    const setEnd = at + message.readUInt16BE(at + 2);
    const recordSize = setId === 2 ? setEnd - at - 4 : RECORD_SIZES[setId];
    assert.ok(recordSize, `a set with the number ${setId}`);
    assert.equal((setEnd - at - 4) % recordSize, 0, 'a set has whole records');
    for (let start = at + 4; start < setEnd; start += recordSize) {
      const single = Buffer.concat([
        message.subarray(0, 16),
        message.subarray(at, at + 4),
        message.subarray(start, start + recordSize),
      ]);
      single.writeUInt16BE(single.length, 2);
      single.writeUInt16BE(4 + recordSize, 18);
      messages.push(withoutSequenceNumber(single));
    }
  }
  return messages;
}

/** From the description of the wire format: the sizes of the parts of key and aggregate, added up. */
const RECORD_SIZES: Readonly<Record<number, number>> = {
  256: 44,
  258: 82,
  259: 86,
  260: 110,
  261: 114,
  262: 49,
  264: 87,
  265: 91,
  266: 115,
  267: 119,
};

function withoutSequenceNumber(message: Buffer): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt32BE(0, 8);
  return copy;
}
