// Records of both formats through a real Open vSwitch, and what real collectors show of the extended ones: times to the
// millisecond, packets, bytes, ports, interface, TCP flags, type and code of ICMP, VLAN.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { startNfacctd, startNfcapd, tsharkText } from '../support/collectors.ts';
import { startDaemon } from '../support/daemon.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { type FlowRecord, FlowRecordSink } from '../support/flow-records.ts';
import { arp, ethernet, icmp, icmpv6, ipv4, ipv6, tcp, udp, udpFrame } from '../support/frames.ts';
import { createIpfixRow, setIpfixRow, waitForBridge, waitForHook } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const IPV4 = { source: '10.0.0.1', destination: '10.0.0.2' };
const IPV6 = { source: 'fd00::1', destination: 'fd00::2' };
const IFINDEX = 77;

/** The truth about one flow: what was injected. */
interface Flow {
  readonly name: string;
  readonly frames: readonly Buffer[];
  readonly templates: { readonly original: number; readonly extended: number };
  /** The octets of all packets as their IP headers say them. */
  readonly octets: number;
  readonly protocol?: number;
  readonly ports?: readonly [number, number];
  readonly flags?: number;
  readonly icmp?: readonly [type: number, code: number];
  readonly vlan?: number;
}

const tcpSegment = (flags: number, data: number) =>
  tcp({ source: 33_000, destination: 80, flags }, Buffer.alloc(data));

const FLOWS: readonly Flow[] = [
  {
    name: 'TCP',
    frames: [tcpSegment(0x02, 0), tcpSegment(0x18, 500), tcpSegment(0x11, 0)].map((segment) =>
      ethernet({}, ipv4(IPV4, segment)),
    ),
    templates: { original: 259, extended: 517 },
    octets: 40 + 540 + 40,
    protocol: 6,
    ports: [33_000, 80],
    flags: 0x1b,
  },
  {
    name: 'UDP',
    frames: [1, 2].map((size) =>
      Buffer.concat([
        ethernet({}, ipv4(IPV4, udp({ source: 1000, destination: 53 }, Buffer.alloc(size)))),
        // The padding of a short frame is not in the octets.
        Buffer.alloc(18 - size),
      ]),
    ),
    templates: { original: 259, extended: 517 },
    octets: 29 + 30,
    protocol: 17,
    ports: [1000, 53],
    flags: 0,
  },
  {
    name: 'echo requests',
    frames: [1, 2].map(() => ethernet({}, ipv4(IPV4, icmp({ type: 8 })))),
    templates: { original: 258, extended: 518 },
    octets: 56,
    protocol: 1,
    icmp: [8, 0],
  },
  {
    name: 'unreachable port',
    frames: [ethernet({}, ipv4(IPV4, icmp({ type: 3, code: 3 })))],
    templates: { original: 258, extended: 518 },
    octets: 28,
    protocol: 1,
    icmp: [3, 3],
  },
  {
    name: 'neighbor solicitation',
    frames: [ethernet({}, ipv6(IPV6, icmpv6({ type: 135 })))],
    templates: { original: 260, extended: 522 },
    octets: 48,
    protocol: 58,
    icmp: [135, 0],
  },
  {
    name: 'TCP with a tag',
    frames: [
      ethernet(
        { vlans: [{ id: 100, priority: 5 }] },
        ipv4(IPV4, tcp({ source: 9, destination: 22, flags: 0x04 })),
      ),
    ],
    templates: { original: 265, extended: 529 },
    octets: 40,
    protocol: 6,
    ports: [9, 22],
    flags: 0x04,
    vlan: 100,
  },
  {
    name: 'ARP',
    frames: [ethernet({}, arp({ senderIp: '10.0.0.1', targetIp: '10.0.0.2' }))],
    templates: { original: 256, extended: 512 },
    octets: 28,
  },
];
const PACKETS = FLOWS.reduce((sum, { frames }) => sum + frames.length, 0);
/** In `original` the two kinds of ICMP are one flow. */
const ORIGINAL_RECORDS = FLOWS.length - 1;
const FLAG_LETTERS = 'CEUAPRSF';

const lettersOf = (flags: number): string =>
  FLAG_LETTERS.split('')
    .map((letter, index) => ((flags & (0x80 >> index)) === 0 ? '.' : letter))
    .join('');

/** Finds the record of a flow among those of the extended format. */
function recordOf(flow: Flow, records: readonly FlowRecord[]): FlowRecord {
  const found = records.filter(
    ({ templateId, fields }) =>
      templateId === flow.templates.extended &&
      (flow.ports === undefined || fields['sourceTransportPort'] === flow.ports[0]) &&
      (flow.icmp === undefined || typeAndCode(fields) === flow.icmp.join('/')),
  );
  assert.equal(found.length, 1, flow.name);
  return found[0]!;
}

function typeAndCode(fields: FlowRecord['fields']): string {
  const both = Number(fields['icmpTypeCodeIPv4'] ?? fields['icmpTypeCodeIPv6']);
  return `${both >> 8}/${both & 0xff}`;
}

test(
  'collectors show records of the extended format as they are, and original ones stay as they were',
  tier('ovs', 'daemon', 'nfdump', 'pmacct', 'tshark'),
  async (t) => {
    const atEnd = lastFirst(t);
    const ovs = await startOvs();
    atEnd(() => ovs.stop());
    const nfcapd = await startNfcapd();
    let nfdumpOutput = '';
    const stopNfcapd = async () => {
      nfdumpOutput ||= await nfcapd.stop();
    };
    atEnd(stopNfcapd);
    const nfacctd = await startNfacctd(
      'src_host,dst_host,src_port,dst_port,proto,vlan,tcpflags,in_iface,out_iface,timestamp_start,timestamp_end',
    );
    let nfacctdOutput = '';
    const stopNfacctd = async () => {
      nfacctdOutput ||= await nfacctd.stop();
    };
    atEnd(stopNfacctd);
    const raw = await UdpSink.open();
    atEnd(() => raw.close());
    const sinks = { original: await FlowRecordSink.open(), extended: await FlowRecordSink.open() };
    const cache = { sampling: 1, cache_active_timeout: 600, cache_max_flows: 1000 };
    for (const [index, format] of (['original', 'extended'] as const).entries()) {
      const sink = sinks[format];
      atEnd(() => sink.close());
      await ovs.addBridge(format);
      await ovs.addDummyPort(format, `port-${format}`);
      await ovs.vsctl('set', 'Interface', `port-${format}`, `options:ifindex=${IFINDEX + index}`);
      const others = format === 'extended' ? [raw.target, nfcapd.target, nfacctd.target] : [];
      await createIpfixRow(ovs, format, [sink.target, ...others], {
        ...cache,
        obs_domain_id: 10 + index,
        'external_ids:ovs-ipfix-record-format': format,
      });
    }
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.stop());
    const before = Date.now();
    for (const format of ['original', 'extended'] as const) {
      await waitForHook(daemon, format);
      await waitForBridge(daemon, format, 'interfaces', ({ interfaces }) => interfaces.count === 2);
      for (const { frames } of FLOWS) {
        await ovs.inject(`port-${format}`, ...frames);
      }
      const { exporter, interfaces } = await waitForBridge(
        daemon,
        format,
        'all is sampled',
        ({ exporter }) => exporter.samples === PACKETS,
      );
      assert.equal(exporter.options.recordFormat, format);
      assert.equal(interfaces.unknownLookups, 0);
    }
    // One more segment, some time after the first: the flow has a duration.
    await ovs.inject('port-extended', FLOWS[0]!.frames[2]!);
    await waitForBridge(daemon, 'extended', 'sampled', ({ exporter }) => exporter.samples === PACKETS + 1);
    const after = Date.now();
    const shown = await daemon.appctl('flows', 'bridge=extended');
    assert.match(shown, /in 78 ingress \.\.\.AP\.SF/u);
    assert.match(shown, /in 78 ingress port unreachable/u);
    await daemon.stop();

    const originals = await sinks.original.waitForRecords(ORIGINAL_RECORDS);
    assert.deepEqual(
      new Set(originals.map(({ templateId }) => templateId)),
      new Set(FLOWS.map(({ templates }) => templates.original)),
    );
    assert.ok(originals.every(({ fields }) => fields['octetDeltaCount'] === undefined));
    const records = await sinks.extended.waitForRecords(FLOWS.length);
    await raw.waitUntil((messages) => messages.length >= sinks.extended.messages.length, 'all messages');
    await drained(nfcapd.port);
    await drained(nfacctd.port);
    await stopNfcapd();
    await stopNfacctd();
    assert.equal(nfacctd.complaints(), '');
    assert.match(nfcapd.complaints(), /Sequence Errors: 0, Bad Packets: 0/u);
    const nfdumpFlows = JSON.parse(`[${nfdumpOutput.trim().replace(/^\[|\]$/gu, '')}]`) as Shown[];
    const nfacctdFlows = nfacctdOutput
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Shown);
    const tsharkFlows = (await tsharkText(raw.datagrams)).split(/^\s+Flow \d+$/mu).slice(1);
    assert.equal(nfdumpFlows.length, FLOWS.length);
    assert.equal(tsharkFlows.length, FLOWS.length);

    for (const flow of FLOWS) {
      await t.test(flow.name, () => {
        const extra = flow.name === 'TCP' ? 1 : 0;
        const record = recordOf(flow, records);
        const { fields } = record;
        const packets = flow.frames.length + extra;
        const octets = flow.octets + 40 * extra;
        assert.equal(Number(fields['packetDeltaCount']), packets);
        assert.equal(Number(fields['octetDeltaCount']), octets);
        assert.equal(fields['ingressInterface'], IFINDEX + 1);
        assert.equal(fields['egressInterface'], 0);
        assert.equal(fields['samplingInterval'], 1);
        assert.equal(fields['tcpControlBits'], flow.flags);
        assert.equal(fields['vlanId'], flow.vlan);
        const start = String(fields['flowStartMilliseconds']).slice(0, 23);
        const end = String(fields['flowEndMilliseconds']).slice(0, 23);
        for (const time of [start, end]) {
          const millis = Date.parse(`${time}Z`);
          assert.ok(millis >= before - 1 && millis <= after + 1, `${time} is when it was injected`);
        }
        if (flow.name === 'TCP') {
          assert.ok(start < end, 'the flow of two injections has a duration');
        }
        const truth = { start, end, packets, octets };
        assertNfdump(flow, truth, nfdumpFlows);
        if (flow.protocol !== undefined) {
          assertNfacctd(flow, truth, nfacctdFlows);
        }
        assertTshark(flow, truth, tsharkFlows);
      });
    }
  },
);

type Shown = Readonly<Record<string, string | number>>;

interface Truth {
  /** Times in UTC with milliseconds, as `2026-11-29T00:06:48.175`. */
  readonly start: string;
  readonly end: string;
  readonly packets: number;
  readonly octets: number;
}

function assertNfdump(flow: Flow, truth: Truth, flows: readonly Shown[]): void {
  const { start: first, end: last, packets, octets } = truth;
  const [found, ...others] = flows.filter(
    (each) =>
      (each['proto'] ?? 0) === (flow.protocol ?? 0) &&
      (each['src_port'] ?? 0) === (flow.ports?.[0] ?? 0) &&
      (flow.icmp === undefined || `${each['icmp_type']}/${each['icmp_code']}` === flow.icmp.join('/')),
  );
  assert.deepEqual(others, []);
  const expected: Shown = {
    first,
    last,
    in_packets: packets,
    in_bytes: octets,
    input_snmp: IFINDEX + 1,
    output_snmp: 0,
    direction: 0,
    in_src_mac: '02:00:00:00:00:01',
    ...(flow.ports && { dst_port: flow.ports[1], tcp_flags: lettersOf(flow.flags ?? 0) }),
    ...(flow.vlan === undefined ? {} : { src_vlan: flow.vlan }),
  };
  const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, found?.[key]]));
  assert.deepEqual(seen, expected, 'nfdump');
}

/** nfacctd has no primitive for ICMP: both kinds of ICMP are rows without ports, and told apart by bytes. */
function assertNfacctd(flow: Flow, truth: Truth, flows: readonly Shown[]): void {
  const time = (text: string) => `${text.replace('T', ' ')}000`;
  const names: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'ipv6-icmp' };
  const expected: Shown = {
    vlan: flow.vlan ?? 0,
    iface_in: IFINDEX + 1,
    iface_out: 0,
    port_src: flow.ports?.[0] ?? 0,
    port_dst: flow.ports?.[1] ?? 0,
    tcp_flags: String(flow.flags ?? 0),
    ip_proto: names[flow.protocol ?? 0] ?? '',
    timestamp_start: time(truth.start),
    timestamp_end: time(truth.end),
    packets: truth.packets,
    bytes: truth.octets,
  };
  const found = flows.filter((each) => Object.entries(expected).every(([key, value]) => each[key] === value));
  assert.equal(
    found.length,
    1,
    `nfacctd: ${JSON.stringify(expected)}\n${flows.map((each) => JSON.stringify(each)).join('\n')}`,
  );
}

function assertTshark(flow: Flow, truth: Truth, flows: readonly string[]): void {
  const patterns = [
    new RegExp(`^\\s+Packets: ${truth.packets}$`, 'mu'),
    new RegExp(`^\\s+Octets: ${truth.octets}$`, 'mu'),
    new RegExp(`^\\s+InputInt: ${IFINDEX + 1}$`, 'mu'),
    new RegExp(`^\\s+StartTime: .* \\d\\d, \\d{4} ${truth.start.slice(11)}000000 UTC$`, 'mu'),
    new RegExp(`^\\s+EndTime: .* \\d\\d, \\d{4} ${truth.end.slice(11)}000000 UTC$`, 'mu'),
    ...(flow.ports === undefined ? [] : [new RegExp(`^\\s+SrcPort: ${flow.ports[0]}\\b`, 'mu')]),
    ...(flow.flags === undefined
      ? []
      : [new RegExp(`^\\s+TCP Flags: 0x${flow.flags.toString(16).padStart(2, '0')}`, 'mu')]),
    ...icmpPatterns(flow),
    ...(flow.vlan === undefined ? [] : [new RegExp(`^\\s+Vlan Id: ${flow.vlan}$`, 'mu')]),
  ];
  const found = flows.filter((text) => patterns.every((pattern) => pattern.test(text)));
  assert.equal(found.length, 1, `tshark, ${flow.name}:\n${patterns.join('\n')}\n${flows.join('\n')}`);
}

/** tshark shows element 32 as one number and 139 as two. */
function icmpPatterns({ icmp: typeAndCode, protocol }: Flow): readonly RegExp[] {
  if (typeAndCode === undefined) {
    return [];
  }
  const [type, code] = typeAndCode;
  return protocol === 1
    ? [new RegExp(`^\\s+ICMP Type: 0x${(type * 256 + code).toString(16).padStart(4, '0')}$`, 'mu')]
    : [new RegExp(`^\\s+IPv6 ICMP Type: ${type}$`, 'mu'), new RegExp(`^\\s+IPv6 ICMP Code: ${code}$`, 'mu')];
}

test(
  'loses and mixes nothing when the format of a row changes while traffic flows',
  tier('ovs', 'daemon'),
  async (t) => {
    const atEnd = lastFirst(t);
    const ovs = await startOvs();
    atEnd(() => ovs.stop());
    const sink = await FlowRecordSink.open();
    atEnd(() => sink.close());
    await ovs.addBridge('br0');
    await ovs.addDummyPort('br0', 'p1');
    // The default lets 100 packets pass at once: the meter would drop some of the rounds that follow each other.
    await ovs.vsctl('set', 'Bridge', 'br0', 'external_ids:ovs-ipfix-max-rate=1000000');
    const row = await createIpfixRow(ovs, 'br0', [sink.target], {
      sampling: 1,
      cache_active_timeout: 600,
      cache_max_flows: 300,
    });
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.stop());
    await waitForHook(daemon, 'br0');
    let injected = 0;
    const formats = ['extended', 'original', 'extended', 'original', 'extended'];
    for (const format of formats) {
      // The row changes while its packets are on their way. A dummy port queues 100 frames at most, so each round is awaited.
      const change = setIpfixRow(ovs, row, { 'external_ids:ovs-ipfix-record-format': format });
      for (let round = 0; round < 8; round += 1) {
        const frames = Array.from({ length: 50 }, (_, index) =>
          udpFrame({ sourcePort: 1 + ((injected + index) % 500) }),
        );
        await ovs.inject('p1', ...frames);
        injected += frames.length;
        await waitForBridge(daemon, 'br0', 'sampled', ({ exporter }) => exporter.samples === injected);
      }
      await change;
      await waitForBridge(
        daemon,
        'br0',
        `the format is ${format}`,
        ({ exporter }) => exporter.options.recordFormat === format,
      );
    }
    await daemon.stop();
    // The sink is strict: each message has the sequence number that follows, and templates before its records.
    await waitFor(() => sum(sink.records) >= injected, { what: `${injected} packets are in records` });
    assert.equal(sum(sink.records), injected);
    for (const message of sink.messages) {
      const isExtended = message.records.map(({ template }) => template.id >= 512);
      assert.ok(new Set(isExtended).size <= 1, 'a message has records of one format');
    }
    const changes = sink.records
      .map(({ templateId }) => (templateId >= 512 ? 'extended' : 'original'))
      .filter((format, index, all) => format !== all[index - 1]);
    assert.deepEqual(changes.slice(-formats.length), formats);
    assert.ok(changes.length <= formats.length + 1, changes.join(' '));
  },
);

function sum(records: readonly FlowRecord[]): number {
  return records.reduce((total, { fields }) => total + Number(fields['packetDeltaCount']), 0);
}

/** Waits until a program has read everything from its socket. */
async function drained(port: number): Promise<void> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  await waitFor(
    async () => {
      const table = (await readFile('/proc/net/udp', 'utf8')) + (await readFile('/proc/net/udp6', 'utf8'));
      const columns = table.split('\n').map((line) => line.trim().split(/\s+/u));
      return columns.find(([, local]) => local?.endsWith(suffix))?.[4]?.endsWith(':00000000') === true;
    },
    { what: `the collector at port ${port} has read all` },
  );
}
