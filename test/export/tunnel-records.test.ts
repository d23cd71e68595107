// Records with what is known of a tunnel, byte for byte, and flows that differ only in it. The expected bytes are written here by
// hand from the description of the format.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS, type ExporterOptions } from '../../src/export/exporter-options.ts';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { arp, ethernet, icmp, icmpv6, ipv4, ipv6, rawIpPayload, udp } from '../support/frames.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { recordingSessions } from './recording-session.ts';

const VXLAN = Int32Array.from([1, 0xff00_007b, 0xc000_0201, 0xc000_0202, 17, 0, 4789]);
const GENEVE = Int32Array.from([7, 0xff00_007b, 0xc000_0201, 0xc000_0202, 17, 0, 6081]);
const FRAME = Buffer.from(
  '0200000000020200000000010800450000281234000040060000000000000a00000203e80050000000010000000050020000ffff0000',
  'hex',
);

function bench(options: Partial<ExporterOptions>) {
  const { sessions, openSession } = recordingSessions();
  const deferred: (() => void)[] = [];
  let current: ExporterOptions = {
    ...EXPORTER_DEFAULTS,
    recordFormat: 'extended',
    hasTunnels: true,
    messageBytesMax: 9000,
    targets: [{ host: '192.0.2.1', port: 1, text: '192.0.2.1:1' }],
    ...options,
  };
  const exporter = new Exporter('br0', current, {
    clock: new ManualClock(1_400_000_000_250_500),
    log: silentLogger,
    openSession,
    defer: (callback) => deferred.push(callback),
    hashSeed: 7,
  });
  exporter.start();
  return {
    exporter,
    configure: (changed: Partial<ExporterOptions>) => {
      current = { ...current, ...changed };
      exporter.configure(current);
    },
    sample: (frame: Buffer, tunnel?: Int32Array) => {
      exporter.sample(frame, 0, frame.length, frame.length, 1, 9, 5, 77, frame.length, tunnel);
    },
    endBatch: () => {
      for (const callback of deferred.splice(0)) {
        callback();
      }
    },
    messages: () => sessions[0]!.messages,
    /** All records by a strict reader, with their elements by name. */
    records: () => {
      const reader = new MessageReader();
      return sessions[0]!.messages.flatMap((message) => {
        const { problems, records } = reader.read('one', message);
        assert.deepEqual(problems, []);
        return records.map(
          ({ template, values }): Readonly<Record<string, unknown>> => ({
            id: template.id,
            ...Object.fromEntries(template.fields.map(({ name }, index) => [name, values[index]])),
          }),
        );
      });
    },
  };
}

test('writes the elements of the tunnel before the times, with the enterprise number of OVS', () => {
  const { sample, endBatch, messages } = bench({});
  sample(FRAME, VXLAN);
  endBatch();
  const [templates, data] = messages().map((message) => message.toString('hex'));
  const enterprise = '00001adc';
  const tunnelFields = [
    ['837b', 1],
    ['837c', 4],
    ['837d', 4],
    ['837e', 4],
    ['837f', 1],
    ['8380', 2],
    ['8381', 2],
  ]
    .map(([id, size]) => `${id}000${size}${enterprise}`)
    .join('');
  // Template 549: 38 fields; 34/4 and 152/8, 153/8 are around those of the tunnel.
  assert.match(templates ?? '', new RegExp(`02250026.*00220004${tunnelFields}0098000800990008`, 'u'));
  assert.equal((templates ?? '').match(/00001adc/gu)?.length, 14 * 7);
  // The export time is 1,400,000,001 s, and the sample came 749,500 us before it.
  const millis = (1_400_000_001_000 - 749).toString(16).padStart(16, '0');
  const tunnel = '01ff00007bc0000201c000020211000012b5';
  assert.ok(data?.endsWith(`00000001${tunnel}${millis}${millis}`), data);
  assert.equal(data?.slice(32, 40), '02250092', 'a set of template 549 with one record of 142 bytes');
});

test('has a template of each kind of frame, and zeros without a tunnel', () => {
  const { sample, endBatch, records } = bench({});
  const v4 = { source: '10.0.0.1', destination: '10.0.0.2' };
  const v6 = { source: 'fd00::1', destination: 'fd00::2' };
  const payloads = [
    arp({ senderIp: '10.0.0.1', targetIp: '10.0.0.2' }),
    ipv4(v4, rawIpPayload(47, Buffer.alloc(8))),
    ipv4(v4, udp({ source: 1, destination: 2 })),
    ipv4(v4, icmp({ type: 8 })),
    ipv6(v6, rawIpPayload(47, Buffer.alloc(8))),
    ipv6(v6, udp({ source: 1, destination: 2 })),
    ipv6(v6, icmpv6({ type: 128 })),
  ];
  const frames = [[], [{ id: 7 }]].flatMap((vlans) =>
    payloads.map((payload) => ethernet({ vlans }, payload)),
  );
  for (const frame of frames) {
    sample(frame, VXLAN);
    sample(frame);
  }
  endBatch();
  const all = records();
  assert.deepEqual(
    all.map(({ id }) => id),
    [544, 548, 549, 550, 552, 553, 554, 556, 560, 561, 562, 564, 565, 566].flatMap((id) => [id, id]),
  );
  for (const [index, record] of all.entries()) {
    const isTunnel = index % 2 === 0;
    assert.equal(record['tunnelType'], isTunnel ? 1 : 0);
    assert.equal((record['tunnelKey'] as Buffer).toString('hex'), isTunnel ? 'ff00007b' : '00000000');
    assert.equal(record['tunnelSourceIPv4Address'], isTunnel ? '192.0.2.1' : '0.0.0.0');
    assert.equal(record['tunnelDestinationIPv4Address'], isTunnel ? '192.0.2.2' : '0.0.0.0');
    assert.equal(record['tunnelProtocolIdentifier'], isTunnel ? 17 : 0);
    assert.equal(record['tunnelSourceTransportPort'], 0);
    assert.equal(record['tunnelDestinationTransportPort'], isTunnel ? 4789 : 0);
    assert.equal(record['ingressInterface'], 77);
    assert.match(String(record['flowStartMilliseconds']), /^2014-05-13T16:53:20\.251Z$/u);
  }
});

test('the tunnel belongs to the flow key', async () => {
  const { exporter, sample, records } = bench({ activeTimeoutSeconds: 60, flowsMax: 100 });
  for (const tunnel of [VXLAN, GENEVE, VXLAN, undefined, VXLAN, GENEVE]) {
    sample(FRAME, tunnel);
  }
  await exporter.stop();
  assert.deepEqual(
    records().map((record) => [record['tunnelType'], record['packetDeltaCount']]),
    [
      [1, 3],
      [7, 2],
      [0, 1],
    ],
  );
});

test('flows are sent in the layout that they began in when the option changes, and none is lost', async () => {
  const { exporter, configure, sample, records } = bench({ activeTimeoutSeconds: 60, flowsMax: 100 });
  sample(FRAME, VXLAN);
  configure({ hasTunnels: false });
  sample(FRAME, VXLAN);
  configure({ recordFormat: 'original', hasTunnels: true });
  assert.equal(exporter.hasTunnels, false);
  sample(FRAME, VXLAN);
  configure({ recordFormat: 'extended' });
  sample(FRAME, VXLAN);
  await exporter.stop();
  assert.deepEqual(
    records().map((record) => [record['id'], record['packetDeltaCount']]),
    [
      [549, 1],
      [517, 1],
      [259, 1],
      [549, 1],
    ],
  );
});
