// Options templates and options records, byte for byte, and when they are sent. The expected bytes are written here by hand from
// the description of the format; nothing of the source is used to make them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS, type ExporterOptions } from '../../src/export/exporter-options.ts';
import { OPTIONS_INTERFACES_MAX } from '../../src/export/options-records.ts';
import { OPTIONS_DOMAINS_MAX } from '../../src/export/stream-domains.ts';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { DescribedInterface } from '../../src/ipfix/options-sets.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type RecordingSession, recordingSessions } from './recording-session.ts';

const EXPORT_SECONDS = 1_400_000_001;
const SECOND = 1_000_000;
const DOMAIN = 9;
const BOTH = { samplingPopulation: 64, hasInterfaces: true };
const INTERFACES: readonly DescribedInterface[] = [
  { number: 78, name: 'tap0', description: 'web-1' },
  { number: 0x0100_0003, name: 'br0', description: 'br0' },
];
const FRAME = Buffer.from(
  '0200000000020200000000010800450000281234000040060000000000000a00000203e80050000000010000000050020000ffff0000',
  'hex',
);

const hex = (value: number, size: number): string => value.toString(16).padStart(size * 2, '0');
const text = (value: string): string => Buffer.from(value).toString('hex').padEnd(64, '0');
const fields = (list: string): string =>
  list
    .split(/[ /]/u)
    .map((number) => hex(Number(number), 2))
    .join('');

// The set's header, the template's id, 5 or 4 fields, 1 scope field, the fields as element/size.
const SAMPLING_TEMPLATE = `0003001e02400005 0001 ${fields('149/4 34/4 35/1 309/4 310/4')}`.replaceAll(
  ' ',
  '',
);
const INTERFACE_TEMPLATE = `0003001a02410004 0001 ${fields('149/4 10/4 82/32 83/32')}`.replaceAll(' ', '');
const samplingRecord = (population: number): string =>
  `02400015 ${hex(DOMAIN, 4)} 00000001 01 00000001 ${hex(population, 4)}`.replaceAll(' ', '');
const interfaceRecord = (number: number, name: string, description: string, domain = DOMAIN): string =>
  `0241004c${hex(domain, 4)}${hex(number, 4)}${text(name)}${text(description)}`;

function message(sequenceNumber: number, content: string): string {
  const head = `000a${hex(16 + content.length / 2, 2)}${hex(EXPORT_SECONDS, 4)}`;
  return `${head}${hex(sequenceNumber, 4)}${hex(DOMAIN, 4)}${content}`;
}

class Bench {
  readonly clock = new ManualClock((EXPORT_SECONDS - 1) * SECOND + 250_500);
  readonly #deferred: (() => void)[] = [];
  readonly #sessions: readonly RecordingSession[];
  readonly exporter: Exporter;
  #options: ExporterOptions;

  constructor(options: Partial<ExporterOptions>, isReliable = false) {
    const { sessions, openSession } = recordingSessions(isReliable);
    this.#sessions = sessions;
    this.#options = {
      ...EXPORTER_DEFAULTS,
      recordFormat: 'extended',
      targets: [{ host: '192.0.2.1', port: 1, text: '192.0.2.1:1' }],
      ...options,
    };
    this.exporter = new Exporter('br0', this.#options, {
      clock: this.clock,
      log: silentLogger,
      openSession,
      defer: (callback) => this.#deferred.push(callback),
      hashSeed: 7,
    });
    this.exporter.start();
  }

  get session(): RecordingSession {
    return this.#sessions[0]!;
  }

  configure(options: Partial<ExporterOptions>): void {
    this.#options = { ...this.#options, ...options };
    this.exporter.configure(this.#options);
  }

  /** Exports one record, and returns the messages that it made, in hex. */
  record(domain = DOMAIN): readonly string[] {
    const before = this.session.messages.length;
    this.exporter.sample(FRAME, 0, FRAME.length, FRAME.length, 1, domain, 5, 78);
    for (const callback of this.#deferred.splice(0)) {
      callback();
    }
    return this.session.messages.slice(before).map((bytes) => bytes.toString('hex'));
  }

  /** What a strict reader has of all messages; fails for any problem, such as a wrong sequence number. */
  read() {
    const reader = new MessageReader();
    const decoded = this.session.messages.map((bytes) => reader.read('one', bytes));
    assert.deepEqual(
      decoded.flatMap(({ problems }) => problems),
      [],
    );
    return decoded;
  }

  get collector() {
    return this.exporter.status().collectors[0]!;
  }
}

/** The kind of each message by its first set: templates, options templates or options records, records. */
function kindsOf(messages: readonly string[]): string {
  const kinds: Readonly<Record<string, string>> = { '0002': 't', '0003': 'o', '0240': 'o', '0241': 'o' };
  return messages.map((each) => kinds[each.slice(32, 36)] ?? 'd').join('');
}

test('sends options templates and records in one message, behind the templates and before the first record', () => {
  const bench = new Bench({ optionsRecords: BOTH });
  bench.exporter.setInterfaces(INTERFACES);
  const messages = bench.record();
  assert.equal(kindsOf(messages), 'ttod');
  assert.equal(
    messages[2],
    message(
      0,
      SAMPLING_TEMPLATE +
        INTERFACE_TEMPLATE +
        samplingRecord(64) +
        interfaceRecord(78, 'tap0', 'web-1') +
        interfaceRecord(0x0100_0003, 'br0', 'br0'),
    ),
  );
  // Options records are data records (RFC 7011, section 3.1).
  assert.equal(messages[3]?.slice(16, 24), '00000003');
  assert.equal(kindsOf(bench.record()), 'd');
  bench.read();
  const { optionsMessages, optionsRecordsSent, templateMessages } = bench.collector;
  assert.deepEqual(
    { optionsMessages, optionsRecordsSent, templateMessages },
    {
      optionsMessages: 1,
      optionsRecordsSent: 3,
      templateMessages: 2,
    },
  );
});

test('sends only the options that are set, and none by default', () => {
  const optionsOf = (optionsRecords: ExporterOptions['optionsRecords']) => {
    const bench = new Bench({ optionsRecords });
    bench.exporter.setInterfaces(INTERFACES.slice(0, 1));
    return bench.record().filter((each) => kindsOf([each]) === 'o');
  };
  assert.deepEqual(optionsOf(undefined), []);
  assert.deepEqual(optionsOf({ samplingPopulation: 400, hasInterfaces: false }), [
    message(0, SAMPLING_TEMPLATE + samplingRecord(400)),
  ]);
  assert.deepEqual(optionsOf({ samplingPopulation: undefined, hasInterfaces: true }), [
    message(0, INTERFACE_TEMPLATE + interfaceRecord(78, 'tap0', 'web-1')),
  ]);
});

test('sends nothing about interfaces before there is one', () => {
  const bench = new Bench({ optionsRecords: { samplingPopulation: undefined, hasInterfaces: true } });
  assert.equal(kindsOf(bench.record()), 'ttd');
});

test('writes names in 31 bytes that end between two characters, without control characters', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['x'.repeat(31), 'x'.repeat(31)],
    ['x'.repeat(40), 'x'.repeat(31)],
    [`${'x'.repeat(29)}é`, `${'x'.repeat(29)}é`],
    [`${'x'.repeat(30)}é`, 'x'.repeat(30)],
    [`${'x'.repeat(28)}😀`, 'x'.repeat(28)],
    [`${'x'.repeat(27)}😀`, `${'x'.repeat(27)}😀`],
    ['a\0b\r\n\u001b[31m\u007f\u0085\u2028\u202e', 'a?b???[31m????'],
    ['', ''],
  ];
  for (const [name, expected] of cases) {
    const bench = new Bench({ optionsRecords: { samplingPopulation: undefined, hasInterfaces: true } });
    bench.exporter.setInterfaces([{ number: 1, name, description: name }]);
    assert.equal(
      bench.record()[2],
      message(0, INTERFACE_TEMPLATE + interfaceRecord(1, expected, expected)),
      JSON.stringify(name),
    );
  }
});

test('sends as many records as fit into a message: 18 in 1,400 bytes', () => {
  const bench = new Bench({ optionsRecords: { samplingPopulation: undefined, hasInterfaces: true } });
  const interfaces = Array.from({ length: 53 }, (_, index) => ({
    number: index + 1,
    name: `n${index}`,
    description: `d${index}`,
  }));
  bench.exporter.setInterfaces(interfaces);
  const options = bench.record().filter((each) => kindsOf([each]) === 'o');
  assert.deepEqual(
    options.map((each) => each.length / 2),
    [16 + 26 + 17 * 76, 16 + 18 * 76, 16 + 18 * 76],
  );
  const values = bench.read().flatMap(({ records }) => records.map(({ values: [, number] }) => number));
  assert.deepEqual(
    values.slice(0, 53),
    interfaces.map(({ number }) => number),
  );
  assert.equal(bench.collector.optionsMessages, 3);
  const small = new Bench({
    messageBytesMax: 256,
    optionsRecords: { samplingPopulation: undefined, hasInterfaces: true },
  });
  small.exporter.setInterfaces(interfaces);
  assert.ok(small.record().every((each) => each.length / 2 <= 256));
  assert.equal(small.collector.optionsRecordsSent, 53);
  small.read();
});

test('describes 1,000 interfaces and counts the others', () => {
  const bench = new Bench({ optionsRecords: BOTH });
  bench.exporter.setInterfaces(
    Array.from({ length: OPTIONS_INTERFACES_MAX + 7 }, (_, index) => ({
      number: index + 1,
      name: 'n',
      description: 'd',
    })),
  );
  const messages = bench.record();
  assert.equal(bench.collector.optionsRecordsSent, OPTIONS_INTERFACES_MAX + 1);
  assert.equal(bench.exporter.status().interfacesOmitted, 7);
  assert.equal(kindsOf(messages).replaceAll(/[td]/gu, '').length, 56, 'messages of 1,400 bytes');
  bench.configure({ optionsRecords: undefined });
  assert.equal(bench.exporter.status().interfacesOmitted, 0);
});

test('repeats them with the templates, with the interfaces of that moment', () => {
  const bench = new Bench({ optionsRecords: BOTH, templateIntervalSeconds: 60 });
  bench.exporter.setInterfaces(INTERFACES);
  bench.record();
  bench.exporter.setInterfaces([{ number: 80, name: 'tap9', description: 'new' }]);
  bench.clock.advance(59 * SECOND);
  assert.equal(kindsOf(bench.record()), 'd');
  bench.clock.advance(SECOND);
  const messages = bench.record();
  assert.equal(kindsOf(messages), 'ttod');
  assert.ok(messages[2]?.includes(text('tap9')));
  assert.ok(!messages[2]?.includes(text('tap0')));
  bench.read();
});

test('repeats them without their flow templates over a reliable transport, and starts over on the next connection', () => {
  const bench = new Bench({ optionsRecords: BOTH, templateIntervalSeconds: 60 }, true);
  assert.equal(kindsOf(bench.record()), 'ttod');
  bench.clock.advance(59 * SECOND);
  assert.equal(kindsOf(bench.record()), 'd');
  bench.clock.advance(SECOND);
  assert.equal(kindsOf(bench.record()), 'od', 'interfaces may have changed');
  bench.session.listener.restarted();
  const messages = bench.record();
  assert.equal(kindsOf(messages), 'ttod');
  assert.deepEqual(
    messages.map((each) => each.slice(16, 24)),
    ['00000000', '00000000', '00000000', '00000001'],
  );
});

test('sends them at once when the options of the row change, and not again for other changes', () => {
  const bench = new Bench({ optionsRecords: undefined });
  bench.exporter.setInterfaces(INTERFACES);
  assert.equal(kindsOf(bench.record()), 'ttd');
  bench.configure({ optionsRecords: { samplingPopulation: 64, hasInterfaces: false } });
  assert.equal(kindsOf(bench.record()), 'od');
  bench.configure({ optionsRecords: BOTH });
  assert.equal(kindsOf(bench.record()), 'od');
  bench.configure({ activeTimeoutSeconds: 0, flowsMax: 0, optionsRecords: { ...BOTH } });
  assert.equal(kindsOf(bench.record()), 'd');
  bench.configure({ optionsRecords: { ...BOTH, samplingPopulation: 65 } });
  assert.equal(kindsOf(bench.record()), 'od');
  bench.configure({ optionsRecords: undefined });
  assert.equal(kindsOf(bench.record()), 'd');
  bench.read();
});

test('repeats them at most each 10 s while the network reports errors, and after the last error', () => {
  const bench = new Bench({ optionsRecords: BOTH });
  const kinds: string[] = [];
  for (let second = 0; second < 12; second += 1) {
    kinds.push(kindsOf(bench.record()));
    bench.session.listener.templatesDoubtful();
    bench.clock.advance(SECOND);
  }
  assert.deepEqual(kinds, ['ttod', ...Array.from({ length: 9 }, () => 'ttd'), 'ttod', 'ttd']);
  bench.record();
  bench.clock.advance(7 * SECOND);
  assert.equal(kindsOf(bench.record()), 'd');
  bench.clock.advance(SECOND);
  assert.equal(kindsOf(bench.record()), 'od');
  assert.equal(kindsOf(bench.record()), 'd');
  bench.read();
});

test('does not repeat what the session drops before the next templates, and the sequence number shows the gap', () => {
  const bench = new Bench({ optionsRecords: BOTH, templateIntervalSeconds: 60 });
  bench.record();
  bench.configure({ optionsRecords: { ...BOTH, samplingPopulation: 3 } });
  bench.session.accepts = false;
  bench.record();
  bench.session.accepts = true;
  const [next] = bench.record();
  assert.equal(kindsOf([next ?? '']), 'd');
  assert.equal(next?.slice(16, 24), '00000004', 'two options records and two records came before');
  assert.equal(bench.collector.optionsRecordsSent, 1);
});

test('gives each domain its own, up to 64 domains', () => {
  const bench = new Bench({ optionsRecords: BOTH });
  bench.exporter.setInterfaces(INTERFACES);
  for (let domain = 1; domain <= OPTIONS_DOMAINS_MAX; domain += 1) {
    const messages = bench.record(domain);
    assert.equal(kindsOf(messages), 'ttod');
    assert.ok(messages[2]?.includes(interfaceRecord(78, 'tap0', 'web-1', domain)));
  }
  assert.equal(kindsOf(bench.record(OPTIONS_DOMAINS_MAX + 1)), 'ttd');
  bench.configure({ optionsRecords: { ...BOTH, samplingPopulation: 2 } });
  assert.equal(kindsOf(bench.record(OPTIONS_DOMAINS_MAX + 1)), 'd');
  assert.equal(kindsOf(bench.record(1)), 'od');
  bench.read();
});
