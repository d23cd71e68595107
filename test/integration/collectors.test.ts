// Collectors that users run, with the messages of two bridges: tshark and ipfixDump must report no error, nfacctd and nfcapd
// must count what was sent. One bridge caches, the other does not, their records have the two formats, and the observation
// domain of one changes while the daemon runs.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MessageReader } from '../../src/ipfix/message-reader.ts';
import type { FieldValue } from '../../src/ipfix/reader-types.ts';
import { recordVectors } from '../packet/record-vectors.ts';
import {
  drained,
  ipfixDump,
  type PortCollector,
  startNfacctd,
  startNfcapd,
  tsharkText,
} from '../support/collectors.ts';
import { startDaemon } from '../support/daemon.ts';
import { udpFrame } from '../support/frames.ts';
import { bridgeStatus, createIpfixRow, type RowColumns, waitForBridge } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const BRIDGES: readonly [bridge: string, columns: RowColumns][] = [
  ['caching', { obs_domain_id: 7, cache_active_timeout: 600, cache_max_flows: 30 }],
  ['plain', { obs_domain_id: 0xffff_ffff, 'external_ids:ovs-ipfix-record-format': 'original' }],
];
const CHANGED_DOMAIN = 77;
const ROUNDS = 3;

type Fields = Readonly<Record<string, FieldValue>>;

/** The messages sent, decoded by the strict reader. */
interface Sent {
  readonly messages: readonly Buffer[];
  readonly records: readonly Fields[];
  readonly packets: number;
}

/** Returns frames of all kinds, and one flow of many packets. */
function roundOfFrames(): readonly Buffer[] {
  const varied = recordVectors.map(({ frame }) => Buffer.from(frame, 'hex'));
  return [...varied, ...Array.from({ length: 30 }, () => udpFrame({ dataBytes: 1000, sourcePort: 33 }))];
}

/** Sends the traffic to these targets and to a plain socket, and returns what the socket received. */
async function sendTraffic(t: TestContext, ...targets: readonly string[]): Promise<Sent> {
  const ovs = await startOvs();
  const sink = await UdpSink.open();
  t.after(async () => {
    await sink.close();
    await ovs.stop();
  });
  for (const [bridge, columns] of BRIDGES) {
    await ovs.addBridge(bridge);
    await ovs.addDummyPort(bridge, `${bridge}-1`);
    await createIpfixRow(ovs, bridge, [sink.target, ...targets], { ...columns, sampling: 1 });
  }
  const daemon = await startDaemon(ovs);
  try {
    const frames = roundOfFrames();
    let injected = 0;
    for (let round = 1; round <= ROUNDS; round += 1) {
      injected += frames.length;
      for (const [bridge] of BRIDGES) {
        await ovs.inject(`${bridge}-1`, ...frames);
        await waitForBridge(daemon, bridge, 'all is sampled', ({ sampler }) => sampler.received === injected);
      }
      if (round !== 2) {
        continue;
      }
      const row = (await bridgeStatus(daemon, 'caching'))?.ipfixRow ?? '';
      await ovs.vsctl('set', 'IPFIX', row, `obs_domain_id=${CHANGED_DOMAIN}`);
      const userdata = CHANGED_DOMAIN.toString(16)
        .padStart(8, '0')
        .replace(/(..)(?=.)/g, '$1.');
      await waitFor(async () => (await ovs.ofctl('dump-flows', 'caching')).includes(userdata), {
        what: 'the hook names the new domain',
      });
    }
  } finally {
    await daemon.stop();
  }
  const packets = ROUNDS * BRIDGES.length * roundOfFrames().length;
  await sink.waitUntil((messages) => decode(messages).packets >= packets, 'all flows have been exported');
  const sent = decode(sink.datagrams);
  assert.equal(sent.packets, packets);
  return sent;
}

/** Sends the traffic to one collector, ends the collector, and returns its output as well. */
async function sendTo(t: TestContext, collector: PortCollector): Promise<Sent & { readonly output: string }> {
  try {
    const sent = await sendTraffic(t, collector.target);
    assert.equal(await drained(collector.port), 0);
    return { ...sent, output: await collector.stop() };
  } catch (error) {
    await collector.stop();
    throw error;
  }
}

/** Decodes messages; fails on any error, such as a gap in the sequence numbers of a domain. */
function decode(messages: readonly Buffer[]): Sent {
  const reader = new MessageReader();
  const domains = new Set<number>();
  const records: Fields[] = [];
  for (const bytes of messages) {
    const message = reader.read('daemon', bytes);
    assert.deepEqual(message.problems, []);
    if (!domains.has(message.observationDomainId)) {
      assert.equal(message.sequenceNumber, 0);
      const isOriginal = message.observationDomainId === 0xffff_ffff;
      assert.equal(message.templates[0]?.id, isOriginal ? 256 : 512);
      domains.add(message.observationDomainId);
    }
    for (const { template, values } of message.records) {
      const named = template.fields.map(({ name }, index) => [name, values[index] ?? ''] as const);
      records.push(Object.fromEntries(named));
    }
  }
  return { messages, records, packets: sumOf(records, 'packetDeltaCount') };
}

function sumOf(records: readonly Fields[], element: string): number {
  return records.reduce((sum, fields) => sum + Number(fields[element]), 0);
}

test(
  'tshark and ipfixDump decode every record without an error',
  tier('ovs', 'daemon', 'tshark', 'fixbuf'),
  async (t) => {
    const { messages, records } = await sendTraffic(t);
    const domains = new Set(messages.map((message) => message.readUInt32BE(12)));
    assert.deepEqual(domains, new Set([7, 0xffff_ffff, CHANGED_DOMAIN]));

    const text = await tsharkText(messages);
    assert.deepEqual(text.match(/.*(malformed|expert|unknown|not recognized|no template|warning).*/gi), null);
    assert.equal(text.match(/^\s+Flow \d+$/gm)?.length, records.length);
    for (const name of ['Packets', 'Layer2 Octet Delta Count', 'Flow End Reason']) {
      assert.equal(text.match(new RegExp(`^\\s+${name}: `, 'gim'))?.length, records.length, name);
    }

    const dump = await ipfixDump(messages);
    assert.equal(dump.warnings, '');
    assert.equal(dump.text.match(/^--- data record/gm)?.length, records.length);
    t.diagnostic(`${messages.length} messages, ${records.length} records, ${domains.size} domains`);
  },
);

test('nfacctd counts packets and bytes of each flow', tier('ovs', 'daemon', 'pmacct'), async (t) => {
  const nfacctd = await startNfacctd();
  const { records, output } = await sendTo(t, nfacctd);
  assert.equal(nfacctd.complaints(), '');
  const counted = new Map<string, [packets: number, bytes: number]>();
  for (const line of output.split('\n').filter((each) => each !== '')) {
    const flow = JSON.parse(line) as Record<string, string | number>;
    const key = ['ip_src', 'ip_dst', 'port_src', 'port_dst', 'ip_proto'].map((name) => flow[name]).join(' ');
    const [packets, bytes] = counted.get(key) ?? [0, 0];
    counted.set(key, [packets + Number(flow['packets']), bytes + Number(flow['bytes'])]);
  }
  assert.deepEqual(sorted(counted), sorted(flowTotals(records)));
  t.diagnostic(`${counted.size} flows`);
});

/** Returns packets and octets of each flow by nfacctd's name; it counts IP only. */
function flowTotals(records: readonly Fields[]): Map<string, [packets: number, bytes: number]> {
  const totals = new Map<string, [packets: number, bytes: number]>();
  for (const fields of records.filter(({ ipVersion }) => ipVersion !== undefined)) {
    const protocol = Number(fields['protocolIdentifier']);
    const key = [
      fields['sourceIPv4Address'] ?? fields['sourceIPv6Address'],
      fields['destinationIPv4Address'] ?? fields['destinationIPv6Address'],
      fields['sourceTransportPort'] ?? 0,
      fields['destinationTransportPort'] ?? 0,
      PROTOCOL_NAMES[protocol] ?? protocol,
    ].join(' ');
    const [packets, bytes] = totals.get(key) ?? [0, 0];
    const octets = Number(fields['octetDeltaCount'] ?? fields['layer2OctetDeltaCount']);
    totals.set(key, [packets + Number(fields['packetDeltaCount']), bytes + octets]);
  }
  return totals;
}

/** pmacct's names of protocols; the others are numbers. */
const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  44: 'ipv6-frag',
  50: 'esp',
  58: 'ipv6-icmp',
  132: 'sctp',
};

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * Of the format original nfdump 1.7.1 knows neither layer2OctetDeltaCount (it wants octetDeltaCount) nor times that are
 * differences to the message's: it shows 0 bytes and the year 1970. Flows and packets are right, and sequence numbers are
 * checked.
 */
test(
  'nfcapd stores all flows, counts packets, and reports no gap in the sequence',
  tier('ovs', 'daemon', 'nfdump'),
  async (t) => {
    const nfcapd = await startNfcapd();
    const { records, packets, output } = await sendTo(t, nfcapd);
    const counts = [...output.matchAll(/"in_packets" : (\d+)/g)].map(([, count]) => Number(count));
    assert.equal(counts.length, records.length);
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      packets,
    );
    const said = nfcapd.complaints();
    const known =
      /^(Add flow source|Bound to|Init |Startup|Process_ipfix: New ipfix exporter|Ident|Terminating|Verbose log level: 1$|Total packets received: .* ignored packets: 0$)/;
    assert.deepEqual(
      said.split('\n').filter((line) => line !== '' && !known.test(line)),
      [],
    );
    assert.match(said, new RegExp(`Flows: ${records.length}, Packets: ${packets}, `));
    assert.match(said, /Sequence Errors: 0, Bad Packets: 0/);
    t.diagnostic(/"first" : .*/.exec(output)?.[0] ?? 'no times');
    t.diagnostic(/Bytes: \d+/.exec(said)?.[0] ?? 'no bytes');
  },
);
