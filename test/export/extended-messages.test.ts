// Messages of the format `extended`, byte for byte. The expected bytes are written here by hand from the description of the
// format; nothing of the source is used to make them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exporter } from '../../src/export/exporter.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { recordingSessions } from './recording-session.ts';

const EXPORT_SECONDS = 1_400_000_001;
const DOMAIN = 9;
const POINT = '00000005';
const SOURCE = '020000000001';
const DESTINATION = '020000000002';
const WEIGHT = 3;
const INGRESS = 0x0100_ffff;

const hex = (value: number | bigint, size: number): string => value.toString(16).padStart(size * 2, '0');

/** A kind of frame: what follows the Ethernet header and an optional tag, and what its record has of it. */
interface Kind {
  readonly layers: number;
  readonly ethernetType: string;
  readonly payload: string;
  /** The key behind the Ethernet part. */
  readonly key: string;
  /** Elements 6, 32 or 139. */
  readonly transport: string;
  /** The length that the IP header says; undefined for other frames. */
  readonly ipLength?: number;
}

const IPV4_ADDRESSES = '0a0000010a000002';
const IPV6_ADDRESSES = `fd${'00'.repeat(14)}01fd${'00'.repeat(14)}02`;
const ipv4 = (protocol: string, length: number, transport: string): string =>
  `45b8${hex(length, 2)}00070000 40${protocol}0000 ${IPV4_ADDRESSES}${transport}`.replaceAll(' ', '');
const ipv6 = (protocol: string, length: number, transport: string): string =>
  `60012345${hex(length - 40, 2)}${protocol}40${IPV6_ADDRESSES}${transport}`;
/** Version, TTL, protocol, DSCP, precedence, class: the class is 0xb8. */
const ipv4Key = (protocol: string): string => `0440${protocol}2e05b8${IPV4_ADDRESSES}`;
const ipv6Key = (protocol: string): string => `0640${protocol}000000${IPV6_ADDRESSES}00012345`;
const PORTS = '00500051';
const TCP = `${PORTS}000000010000000250120000 00000000`.replaceAll(' ', '');
const UDP = `${PORTS}00080000`;
const ICMP = '0303f7ff00000000';
const ICMPV6 = '8700f7ff00000000';

const KINDS: readonly Kind[] = [
  { layers: 0, ethernetType: '0806', payload: '01'.repeat(46), key: '', transport: '' },
  {
    layers: 4,
    ethernetType: '0800',
    payload: ipv4('2f', 24, '00000800'),
    key: ipv4Key('2f'),
    transport: '',
    ipLength: 24,
  },
  {
    layers: 5,
    ethernetType: '0800',
    payload: `${ipv4('06', 40, TCP)}${'00'.repeat(6)}`,
    key: `${ipv4Key('06')}${PORTS}`,
    transport: '12',
    ipLength: 40,
  },
  {
    layers: 6,
    ethernetType: '0800',
    payload: `${ipv4('01', 28, ICMP)}${'00'.repeat(18)}`,
    key: ipv4Key('01'),
    transport: '0303',
    ipLength: 28,
  },
  {
    layers: 8,
    ethernetType: '86dd',
    payload: ipv6('2f', 44, '00000800'),
    key: ipv6Key('2f'),
    transport: '',
    ipLength: 44,
  },
  {
    layers: 9,
    ethernetType: '86dd',
    payload: ipv6('11', 48, UDP),
    key: `${ipv6Key('11')}${PORTS}`,
    transport: '00',
    ipLength: 48,
  },
  {
    layers: 10,
    ethernetType: '86dd',
    payload: ipv6('3a', 48, ICMPV6),
    key: ipv6Key('3a'),
    transport: '8700',
    ipLength: 48,
  },
];

function frameOf(kind: Kind, isTagged: boolean): Buffer {
  return Buffer.from(
    `${DESTINATION}${SOURCE}${isTagged ? '8100a00a' : ''}${kind.ethernetType}${kind.payload}`,
    'hex',
  );
}

/** The record of one sample: `deltaMicros` before the export time. */
function recordOf(kind: Kind, isTagged: boolean, deltaMicros: number): string {
  const payloadSize = kind.payload.length / 2;
  const frameSize = (isTagged ? 18 : 14) + payloadSize;
  const tag = isTagged ? '12000a000a05' : '0e';
  const millis = BigInt(EXPORT_SECONDS) * 1000n - BigInt(Math.floor(deltaMicros / 1000));
  return [
    POINT,
    SOURCE,
    DESTINATION,
    kind.ethernetType,
    tag,
    kind.key,
    hex(deltaMicros, 4),
    hex(deltaMicros, 4),
    hex(WEIGHT, 8),
    hex(WEIGHT * frameSize, 8),
    '02',
    ...(kind.ipLength === undefined
      ? []
      : [hex(WEIGHT * payloadSize ** 2, 8), hex(payloadSize, 8), hex(payloadSize, 8)]),
    // 10, 14, 61, then 6, 32 or 139, then 1, 34, 152 and 153.
    hex(INGRESS, 4),
    '00000000',
    '00',
    kind.transport,
    hex(WEIGHT * (kind.ipLength ?? payloadSize), 8),
    '00000001',
    hex(millis, 8),
    hex(millis, 8),
  ].join('');
}

/** Fields of the templates as element/size, in the order of the description. */
const COMMON = '138/4 56/6 80/6 256/2 240/1';
const TAG = '58/2 243/2 244/1';
const IP = '60/1 192/1 4/1 195/1 196/1 5/1';
const ADDRESSES = ['', '8/4 12/4', '27/16 28/16 31/4'];
const COUNTS = '158/4 159/4 2/8 352/8 136/1';
const IP_LENGTHS = '198/8 25/8 26/8';
const TRANSPORT = [
  ['', '', ''],
  ['', '6/1', '32/2'],
  ['', '6/1', '139/2'],
];

function templateOf(layers: number, isTagged: boolean): string {
  const layer3 = layers >> 2;
  const layer4 = layers & 3;
  const fields = [
    COMMON,
    isTagged ? TAG : '',
    ...(layer3 === 0 ? [] : [IP, ADDRESSES[layer3]]),
    layer4 === 1 ? '7/2 11/2' : '',
    COUNTS,
    layer3 === 0 ? '' : IP_LENGTHS,
    '10/4 14/4 61/1',
    TRANSPORT[layer3]?.[layer4],
    '1/8 34/4 152/8 153/8',
  ]
    .join(' ')
    .split(' ')
    .filter((field) => field !== '');
  const head = hex(512 + (isTagged ? 12 : 0) + layers, 2) + hex(fields.length, 2);
  return (
    head +
    fields
      .flatMap((field) => field.split('/'))
      .map((n) => hex(Number(n), 2))
      .join('')
  );
}

function set(id: number, content: string): string {
  return hex(id, 2) + hex(4 + content.length / 2, 2) + content;
}

function message(sequenceNumber: number, content: string): string {
  const head = `000a${hex(16 + content.length / 2, 2)}${hex(EXPORT_SECONDS, 4)}`;
  return `${head}${hex(sequenceNumber, 4)}${hex(DOMAIN, 4)}${content}`;
}

const ALL = [false, true].flatMap((isTagged) => KINDS.map((kind) => ({ kind, isTagged })));

function exporterAt(wallMicros: number, messageBytesMax: number) {
  const clock = new ManualClock(wallMicros);
  const deferred: (() => void)[] = [];
  const { sessions, openSession } = recordingSessions();
  const exporter = new Exporter(
    'br0',
    {
      targets: [{ host: '192.0.2.1', port: 4739, text: '192.0.2.1:4739' }],
      activeTimeoutSeconds: 0,
      flowsMax: 0,
      templateIntervalSeconds: 600,
      messageBytesMax,
      recordFormat: 'extended',
    },
    { clock, log: silentLogger, openSession, defer: (callback) => deferred.push(callback), hashSeed: 1 },
  );
  exporter.start();
  const send = (frame: Buffer) =>
    exporter.sample(frame, 0, frame.length, frame.length, WEIGHT, DOMAIN, 5, INGRESS);
  const endBatch = () => {
    for (const callback of deferred.splice(0)) {
      callback();
    }
  };
  const messages = () => sessions[0]?.messages.map((bytes) => bytes.toString('hex')) ?? [];
  return { send, endBatch, messages };
}

test('sends the templates and a record of each of the 14 kinds of frames as the description has them', () => {
  // The deltas have odd microseconds: 749,500 before the export time are 749 ms.
  const { send, endBatch, messages } = exporterAt((EXPORT_SECONDS - 1) * 1_000_000 + 250_500, 9000);
  for (const { kind, isTagged } of ALL) {
    send(frameOf(kind, isTagged));
  }
  endBatch();
  const templates = ALL.map(({ kind, isTagged }) => templateOf(kind.layers, isTagged)).join('');
  const records = ALL.map(({ kind, isTagged }) =>
    set(512 + (isTagged ? 12 : 0) + kind.layers, recordOf(kind, isTagged, 749_500)),
  );
  const [templateMessage, dataMessage, ...others] = messages();
  assert.equal(templateMessage, message(0, set(2, templates)));
  assert.equal((templateMessage ?? '').length / 2, 1728);
  assert.equal(dataMessage, message(0, records.join('')));
  assert.deepEqual(others, []);
});

test('sends the templates in two messages of 1,316 and 432 bytes before the first record', () => {
  const { send, endBatch, messages } = exporterAt((EXPORT_SECONDS - 1) * 1_000_000 + 250_500, 1400);
  const [first] = KINDS;
  assert.ok(first);
  send(frameOf(first, false));
  endBatch();
  const templates = ALL.map(({ kind, isTagged }) => templateOf(kind.layers, isTagged));
  assert.deepEqual(
    messages().map((text) => text.length / 2),
    [1316, 432, 16 + 4 + 81],
  );
  const isFirst = (index: number) => templates.slice(0, index + 1).join('').length / 2 + 20 <= 1400;
  assert.deepEqual(messages(), [
    message(0, set(2, templates.filter((_template, index) => isFirst(index)).join(''))),
    message(0, set(2, templates.filter((_template, index) => !isFirst(index)).join(''))),
    message(0, set(512, recordOf(first, false, 749_500))),
  ]);
});
