// The reader against bytes that are written by hand from RFC 7011, independently of our writer.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { DecodedMessage } from '../../src/ipfix/reader-types.ts';

const EXPORT_TIME = '53724e01';

/** Returns a message of domain 11 with these sets, in hex. */
function message(setsHex: string, sequenceNumber = 0, domain = 11): Buffer {
  const sets = Buffer.from(setsHex.replaceAll(/\s/g, ''), 'hex');
  const header = Buffer.from(`000a0000${EXPORT_TIME}0000000000000000`, 'hex');
  header.writeUInt16BE(16 + sets.length, 2);
  header.writeUInt32BE(sequenceNumber, 8);
  header.writeUInt32BE(domain, 12);
  return Buffer.concat([header, sets]);
}

function codes(decoded: DecodedMessage): string[] {
  return decoded.problems.map((problem) => problem.code);
}

function namesAndValues(decoded: DecodedMessage): Record<string, unknown>[] {
  return decoded.records.map((record) =>
    Object.fromEntries(record.template.fields.map((field, index) => [field.name, record.values[index]])),
  );
}

// Template 256: protocolIdentifier (1 byte), sourceTransportPort (2 bytes).
const TEMPLATE_256 = '0002 0010 0100 0002 0004 0001 0007 0002';

test('decodes each message of the exporter of 2013 without a problem', () => {
  const runs = JSON.parse(
    readFileSync(new URL('../vectors/exact-messages.json', import.meta.url), 'utf8'),
  ) as { datagrams: string[] }[];
  for (const run of runs) {
    const reader = new MessageReader();
    const decoded = run.datagrams.map((hex) => reader.read('s', Buffer.from(hex, 'hex')));
    const problems = decoded.flatMap((result) => result.problems);
    // The first template message has sequence number 1, as the first data message has.
    assert.deepEqual(problems, []);
    assert.equal(decoded[0]?.templates.length, 10);
    for (const result of decoded.slice(1)) {
      assert.equal(result.records.length + result.templates.length / 10, 1);
    }
  }
});

test('decodes a record of the exporter of 2013 to the values of its packet', () => {
  const [run] = JSON.parse(
    readFileSync(new URL('../vectors/exact-messages.json', import.meta.url), 'utf8'),
  ) as { datagrams: string[] }[];
  const reader = new MessageReader();
  const [, second, , , , , v6] = (run?.datagrams ?? []).map((hex) =>
    reader.read('s', Buffer.from(hex, 'hex')),
  );
  assert.ok(second && v6);
  assert.equal(second.exportTimeSeconds, 1_400_000_001);
  assert.equal(second.observationDomainId, 11);
  assert.deepEqual(namesAndValues(second), [
    {
      observationPointId: 22,
      sourceMacAddress: '02:00:00:00:00:01',
      destinationMacAddress: '02:00:00:00:00:02',
      ethernetType: 0x0800,
      ethernetHeaderLength: 14,
      ipVersion: 4,
      ipTTL: 64,
      protocolIdentifier: 17,
      ipDiffServCodePoint: 0,
      ipPrecedence: 0,
      ipClassOfService: 0,
      sourceIPv4Address: '10.0.0.1',
      destinationIPv4Address: '10.0.0.2',
      sourceTransportPort: 1000,
      destinationTransportPort: 2000,
      flowStartDeltaMicroseconds: 750_000,
      flowEndDeltaMicroseconds: 750_000,
      packetDeltaCount: 1,
      layer2OctetDeltaCount: 100,
      flowEndReason: 2,
      octetDeltaSumOfSquares: 7396,
      minimumIpTotalLength: 86,
      maximumIpTotalLength: 86,
    },
  ]);
  const [record] = namesAndValues(v6);
  assert.equal(record?.['sourceIPv6Address'], 'fd00::1');
  assert.equal(record['flowLabelIPv6'], 0xabcde);
});

test('decodes several records of a set, and takes zeros behind them for padding', () => {
  const reader = new MessageReader();
  const decoded = reader.read('s', message(`${TEMPLATE_256} 0100 000c 060050 110035 0000`));
  assert.deepEqual(codes(decoded), []);
  assert.deepEqual(namesAndValues(decoded), [
    { protocolIdentifier: 6, sourceTransportPort: 80 },
    { protocolIdentifier: 17, sourceTransportPort: 53 },
  ]);
});

test('decodes variable lengths of one byte and of three, and leaves unknown elements as bytes', () => {
  const reader = new MessageReader();
  // Template 300: interfaceName (variable), enterprise 6876 element 892 (variable), element 9999 of IANA (2 bytes).
  const template = '0002 0018 012c 0003 0052 ffff 837c ffff 00001adc 270f 0002';
  const long = Buffer.alloc(300, 'x');
  const record = `04 65746830 ff 012c ${long.toString('hex')} abcd`;
  const decoded = reader.read('s', message(`${template} 012c 013a ${record}`));
  assert.deepEqual(codes(decoded), []);
  assert.deepEqual(namesAndValues(decoded), [
    { interfaceName: 'eth0', tunnelKey: long, 'element 9999': Buffer.from('abcd', 'hex') },
  ]);
});

test('decodes options templates with their scopes', () => {
  const reader = new MessageReader();
  // Options template 257: scope observationDomainId (4), then exportedFlowRecordTotalCount (8).
  const decoded = reader.read(
    's',
    message('0003 0014 0101 0002 0001 0095 0004 002a 0008 0000 0101 0010 0000000b ffffffffffffffff'),
  );
  assert.deepEqual(codes(decoded), []);
  assert.equal(decoded.templates[0]?.scopeCount, 1);
  assert.deepEqual(namesAndValues(decoded), [
    { observationDomainId: 11, exportedFlowRecordTotalCount: 0xffff_ffff_ffff_ffffn },
  ]);
});

test('decodes texts of a fixed size without the zeros behind them', () => {
  const reader = new MessageReader();
  // Options template 257: scope observationDomainId (4), interfaceName (8), interfaceDescription (2).
  const decoded = reader.read(
    's',
    message(
      '0003 0016 0101 0003 0001 0095 0004 0052 0008 0053 0002 0101 0012 0000000b 7400700000000000 0000',
    ),
  );
  assert.deepEqual(codes(decoded), []);
  assert.deepEqual(namesAndValues(decoded), [
    { observationDomainId: 11, interfaceName: 't\0p', interfaceDescription: '' },
  ]);
});

test('decodes whole numbers exactly in every size, and times to text', () => {
  const reader = new MessageReader();
  const template =
    '0002 0028 0100 0008 0002 0003 0001 0007 0098 0008 009a 0008 009c 0008 0096 0004 0137 0004 0114 0001';
  // 2001-09-09T01:46:40.5 in NTP's format is bf454880.80000000.
  const record =
    '010203 20000000000001 000000e8d4a510fb bf454880 80000000 bf454880 80000000 3b9aca00 3f000000 01';
  const size = 4 + 3 + 7 + 8 + 8 + 8 + 4 + 4 + 1;
  const decoded = reader.read(
    's',
    message(`${template} 0100 ${size.toString(16).padStart(4, '0')} ${record}`),
  );
  assert.deepEqual(codes(decoded), []);
  assert.deepEqual(namesAndValues(decoded), [
    {
      packetDeltaCount: 0x010203,
      octetDeltaCount: 0x20000000000001n,
      flowStartMilliseconds: '2001-09-09T01:46:40.251Z',
      flowStartMicroseconds: '2001-09-09T01:46:40.500000Z',
      flowStartNanoseconds: '2001-09-09T01:46:40.500000000Z',
      flowStartSeconds: '2001-09-09T01:46:40Z',
      samplingProbability: 0.5,
      dataRecordsReliability: true,
    },
  ]);
});

const faults: readonly [name: string, bytes: Buffer, code: string][] = [
  ['a message shorter than its header', message('').subarray(0, 15), 'short-message'],
  ['another version', Buffer.concat([Buffer.from('0009', 'hex'), message('').subarray(2)]), 'bad-version'],
  ['a truncated message', message(TEMPLATE_256).subarray(0, 30), 'bad-message-length'],
  ['bytes behind the message', Buffer.concat([message(TEMPLATE_256), Buffer.of(0)]), 'bad-message-length'],
  ['a set longer than the message', message('0100 0020 0000'), 'bad-set-length'],
  ['a set shorter than its header', message('0100 0003'), 'bad-set-length'],
  ['bytes for less than a set header', message('0100'), 'bad-set-length'],
  ['a set without records', message('0002 0004'), 'empty-set'],
  ['a reserved set id', message('0004 0008 00000000'), 'reserved-set-id'],
  ['a set id of NetFlow version 9', message('0000 0008 00000000'), 'reserved-set-id'],
  ['a template id below 256', message('0002 000c 00ff 0001 0004 0001'), 'bad-template-id'],
  ['a truncated template', message('0002 000c 0100 0002 0004 0001'), 'short-template'],
  ['a field without bytes', message('0002 000c 0100 0001 0004 0000'), 'bad-field-length'],
  ['a MAC address of 5 bytes', message('0002 000c 0100 0001 0038 0005'), 'bad-field-length'],
  ['a number of 9 bytes', message('0002 000c 0100 0001 0002 0009'), 'bad-field-length'],
  ['options without a scope', message('0003 000e 0101 0001 0000 0095 0004'), 'bad-scope-count'],
  ['more scopes than fields', message('0003 000e 0101 0001 0002 0095 0004'), 'bad-scope-count'],
  ['a template that is withdrawn over UDP', message('0002 0008 0100 0000'), 'withdrawal-over-udp'],
  ['a set whose template is unknown', message('0100 0008 01020304'), 'unknown-template'],
  [
    'a boolean that is neither true nor false',
    message('0002 000c 0100 0001 0114 0001 0100 0005 07'),
    'bad-value',
  ],
  ['padding that is not zero', message(`${TEMPLATE_256} 0100 0008 060050 01`), 'padding-nonzero'],
  ['padding of templates that is not zero', message('0002 000e 0100 0001 0004 0001 0001'), 'padding-nonzero'],
  [
    'a truncated record',
    message('0002 0010 0100 0002 001b 0010 0004 0001 0100 0014 fd0000000000000000000000 00000001'),
    'short-record',
  ],
  ['a variable length past the end', message('0002 000c 0100 0001 0052 ffff 0100 0006 0561'), 'short-record'],
  [
    'a truncated long variable length',
    message('0002 000c 0100 0001 0052 ffff 0100 0006 ff01'),
    'short-record',
  ],
];

for (const [name, bytes, code] of faults) {
  test(`reports ${name}`, () => {
    const decoded = new MessageReader().read('s', bytes);
    assert.deepEqual(codes(decoded), [code]);
    assert.match(decoded.problems[0]?.message ?? '', /^[A-Z0-9a-z].*\.$/);
  });
}

test('reports a message that is truncated at any byte', () => {
  const whole = message(`${TEMPLATE_256} 0100 000a 060050 110035`);
  for (let size = 0; size < whole.length; size += 1) {
    assert.notDeepEqual(codes(new MessageReader().read('s', whole.subarray(0, size))), []);
  }
});

test('counts missing records by the sequence numbers of each domain and session', () => {
  const reader = new MessageReader();
  const two = `${TEMPLATE_256} 0100 000a 060050 110035`;
  assert.deepEqual(
    codes(reader.read('a', message(two, 0xffff_ffff))),
    [],
    'the first message may have any number',
  );
  assert.deepEqual(codes(reader.read('a', message(two, 1))), [], 'it counts modulo 2^32');
  assert.deepEqual(codes(reader.read('a', message(two, 0, 12))), [], 'another domain');
  assert.deepEqual(codes(reader.read('b', message(two, 7))), [], 'another session');
  const gap = reader.read('a', message(two, 8));
  assert.deepEqual(codes(gap), ['sequence-gap']);
  assert.match(gap.problems[0]?.message ?? '', /^5 data records are missing/);
  assert.deepEqual(codes(reader.read('a', message(two, 10))), []);
});

test('keeps the sequence at a late message, and follows a restarted exporter', () => {
  const reader = new MessageReader();
  const two = `${TEMPLATE_256} 0100 000a 060050 110035`;
  reader.read('a', message(two, 100));
  assert.deepEqual(codes(reader.read('a', message(two, 98))), ['sequence-repeat']);
  assert.deepEqual(codes(reader.read('a', message(two, 102))), []);
  assert.deepEqual(
    codes(reader.read('a', message(two, 0))),
    ['sequence-repeat'],
    'an exporter has restarted',
  );
  assert.deepEqual(codes(reader.read('a', message(two, 2))), []);
  reader.read('a', message(two, 900));
  assert.deepEqual(codes(reader.read('a', message(two, 50))), ['sequence-repeat']);
  assert.deepEqual(
    codes(reader.read('a', message(two, 52))),
    ['sequence-repeat'],
    'its first messages were missed',
  );
  assert.deepEqual(codes(reader.read('a', message(two, 54))), []);
});

test('accepts any sequence number after records that cannot be counted', () => {
  const reader = new MessageReader();
  assert.deepEqual(codes(reader.read('a', message('0100 000a 060050 110035', 5))), ['unknown-template']);
  assert.deepEqual(codes(reader.read('a', message(TEMPLATE_256, 7))), []);
});

test('reports a template that changes without withdrawal, and uses the new one', () => {
  const reader = new MessageReader();
  reader.read('s', message(TEMPLATE_256));
  assert.deepEqual(codes(reader.read('s', message(TEMPLATE_256))), [], 'an equal template is not reported');
  const changed = reader.read('s', message('0002 000c 0100 0001 000b 0002 0100 0006 0050'));
  assert.deepEqual(codes(changed), ['template-changed']);
  assert.deepEqual(namesAndValues(changed), [{ destinationTransportPort: 80 }]);
});

test('withdraws a template over TCP, alone or with all of its kind', () => {
  const reader = new MessageReader();
  const options = '0003 000e 0101 0001 0001 0095 0004';
  reader.read('s', message(`${TEMPLATE_256} ${options}`), 'tcp');
  const decoded = reader.read('s', message('0002 0008 0100 0000'), 'tcp');
  assert.deepEqual([codes(decoded), decoded.withdrawals], [[], [256]]);
  assert.deepEqual(codes(reader.read('s', message('0100 0007 060050'), 'tcp')), ['unknown-template']);
  assert.deepEqual(codes(reader.read('s', message('0002 0008 0100 0000'), 'tcp')), ['unknown-withdrawal']);
  reader.read('s', message(TEMPLATE_256), 'tcp');
  assert.deepEqual(codes(reader.read('s', message('0002 0008 0002 0000'), 'tcp')), []);
  assert.deepEqual(codes(reader.read('s', message('0100 0007 060050'), 'tcp')), ['unknown-template']);
  assert.deepEqual(
    codes(reader.read('s', message('0101 0008 0000000b'), 'tcp')),
    [],
    'options templates stay',
  );
  reader.read('s', message('0003 0008 0003 0000'), 'tcp');
  assert.deepEqual(codes(reader.read('s', message('0101 0008 0000000b'), 'tcp')), ['unknown-template']);
});

test('removes the templates of a session that ends', () => {
  const reader = new MessageReader();
  reader.read('s', message(TEMPLATE_256), 'tcp');
  assert.equal(reader.status().templateFields, 2);
  reader.endSession('s');
  assert.equal(reader.status().templateFields, 0);
  assert.deepEqual(codes(reader.read('s', message('0100 0007 060050'), 'tcp')), ['unknown-template']);
});

test('replaces the least recently used session or domain beyond its limit', () => {
  const reader = new MessageReader({ sessionsMax: 2, domainsMax: 2 });
  const data = '0100 0007 060050';
  reader.read('a', message(TEMPLATE_256));
  reader.read('b', message(TEMPLATE_256));
  reader.read('a', message(TEMPLATE_256));
  assert.deepEqual(codes(reader.read('c', message(TEMPLATE_256))), ['domain-limit']);
  assert.deepEqual(codes(reader.read('a', message(data))), [], 'b was least recently used');
  reader.read('a', message(TEMPLATE_256, 0, 12));
  assert.deepEqual(codes(reader.read('a', message(TEMPLATE_256, 0, 13))), ['domain-limit']);
  assert.deepEqual(codes(reader.read('a', message(data, 0, 12))), []);
  const { sessions, sessionsDropped, domainsDropped, templateFields } = reader.status();
  assert.deepEqual([sessions, sessionsDropped, domainsDropped, templateFields], [2, 1, 1, 6]);
});

test('decodes what the header covers of a datagram that is longer, and reports it', () => {
  const reader = new MessageReader();
  reader.read('s', message(TEMPLATE_256));
  const decoded = reader.read(
    's',
    Buffer.concat([message('0100 0007 060050'), Buffer.from('0100000706', 'hex')]),
  );
  assert.deepEqual(codes(decoded), ['bad-message-length']);
  assert.equal(decoded.records.length, 1);
  const next = reader.read('s', message('0100 0007 060050', 1));
  assert.deepEqual(codes(next), [], 'the record was counted');
});

test('says of a set that its template was refused, until the template is stored', () => {
  const reader = new MessageReader({ templatesMax: 1, refusedMax: 2 });
  const said = (body: string) => reader.read('s', message(body)).problems.map((problem) => problem.message);
  const set = (id: string) => `${id} 0008 01020304`;
  const refused: readonly (readonly [id: string, number: number, template: string])[] = [
    ['01f8', 504, '0002 000c 01f8 0001 0002 0009'],
    ['01f9', 505, '0002 000c 01f9 0002 0004 0001'],
    ['01fa', 506, '0003 000e 01fa 0001 0000 0095 0004'],
  ];
  for (const [id, number, template] of refused) {
    assert.equal(said(template).length, 1);
    assert.match(
      said(set(id))[0] ?? '',
      new RegExp(`needs template ${number}, template ${number} was refused; `, 'u'),
    );
  }
  assert.match(
    said(set('01f8'))[0] ?? '',
    /needs template 504, which is unknown/u,
    'only the last two are stored',
  );
  assert.deepEqual(said('0002 000c 01fa 0001 0004 0001'), []);
  assert.deepEqual(said('01fa 0005 06'), []);
});

test('refuses and counts templates beyond their limits', () => {
  const reader = new MessageReader({ templatesMax: 1, fieldsMax: 3 });
  assert.deepEqual(codes(reader.read('s', message(TEMPLATE_256))), []);
  assert.deepEqual(codes(reader.read('s', message('0002 000c 0101 0001 0004 0001'))), ['template-limit']);
  assert.deepEqual(codes(reader.read('s', message('0002 000c 0101 0001 0004 0001', 0, 12))), []);
  const changed = '0002 0018 0100 0004 0004 0001 0004 0001 0004 0001 0004 0001';
  assert.deepEqual(codes(reader.read('s', message(changed))), ['template-changed', 'template-limit']);
  assert.deepEqual(codes(reader.read('s', message('0100 0007 060050'))), ['unknown-template']);
  assert.equal(reader.status().templatesRefused, 2);
});
