// Records of both formats through a real Open vSwitch, and what real collectors show of the extended ones: times to the
// millisecond, packets, bytes, ports, interface, TCP flags, type and code of ICMP, VLAN.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drained, ipfixDump, startNfacctd, startNfcapd, tsharkText } from '../support/collectors.ts';
import { startDaemon } from '../support/daemon.ts';
import { assertSameRecords, recordsOfIpfixDump } from '../support/decoded-records.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { FLOWS, IFINDEX, ORIGINAL_RECORDS, PACKETS, recordOf } from '../support/extended-flows.ts';
import { type FlowRecord, FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { createIpfixRow, setIpfixRow, waitForBridge, waitForHook } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { assertNfacctd, assertNfdump, assertTshark, type Shown } from '../support/shown-flows.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const PRIMITIVES =
  'src_host,dst_host,src_port,dst_port,proto,vlan,tcpflags,in_iface,out_iface,timestamp_start,timestamp_end';

test(
  'collectors show records of the extended format as they are, and original ones stay as they were',
  tier('ovs', 'daemon', 'nfdump', 'pmacct', 'tshark', 'fixbuf'),
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
    const nfacctd = await startNfacctd(PRIMITIVES);
    let nfacctdOutput = '';
    const stopNfacctd = async () => {
      nfacctdOutput ||= await nfacctd.stop();
    };
    atEnd(stopNfacctd);
    const renormalizing = await startNfacctd(PRIMITIVES, { nfacctd_renormalize: 'true' });
    let renormalizedOutput = '';
    const stopRenormalizing = async () => {
      renormalizedOutput ||= await renormalizing.stop();
    };
    atEnd(stopRenormalizing);
    const raw = await UdpSink.open();
    atEnd(() => raw.close());
    const sinks = { original: await FlowRecordSink.open(), extended: await FlowRecordSink.open() };
    const cache = { sampling: 1, cache_active_timeout: 600, cache_max_flows: 1000 };
    const targets = [raw.target, nfcapd.target, nfacctd.target, renormalizing.target];
    for (const [index, format] of (['original', 'extended'] as const).entries()) {
      const sink = sinks[format];
      atEnd(() => sink.close());
      await ovs.addBridge(format);
      await ovs.addDummyPort(format, `port-${format}`);
      await ovs.vsctl('set', 'Interface', `port-${format}`, `options:ifindex=${IFINDEX + index}`);
      const others = format === 'extended' ? targets : [];
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
    await drained(renormalizing.port);
    await stopNfcapd();
    await stopNfacctd();
    await stopRenormalizing();
    assert.equal(nfacctd.complaints(), '');
    assert.equal(renormalizing.complaints(), '');
    // The records say that their counts are scaled already.
    assert.deepEqual(renormalizedOutput.split('\n').sort(), nfacctdOutput.split('\n').sort());
    const dump = await ipfixDump(raw.datagrams);
    assert.equal(dump.warnings, '');
    assertSameRecords(records, recordsOfIpfixDump(dump.text));
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
