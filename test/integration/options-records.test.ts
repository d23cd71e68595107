// Options records through a real Open vSwitch to real collectors: what they show of the interfaces, that none scales counts by
// the sampling rate, and how many sequence errors nfcapd reports, which does not count options records.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drained, ipfixDump, startNfacctd, startNfcapd, tsharkText } from '../support/collectors.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { createIpfixRow, setIpfixRow, waitForBridge, waitForHook } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const OPTIONS_KEY = 'external_ids:ovs-ipfix-options';
const FORMAT = { 'external_ids:ovs-ipfix-record-format': 'extended' };
/** N of 1-in-N, at which a count that is scaled twice is far off. */
const INTERVAL = 8;
const FRAMES = 64;
const IFINDEX = 77;

/** A bridge with one port of that name and ifindex, and a virtual machine at it. */
async function addBridge(ovs: Ovs, bridge: string, ifindex: number, machine: string): Promise<void> {
  const port = `port-${bridge}`;
  await ovs.addBridge(bridge);
  await ovs.addDummyPort(bridge, port);
  await ovs.vsctl('set', 'Interface', port, `options:ifindex=${ifindex}`, `external_ids:vm-name=${machine}`);
  // The default lets 100 packets pass at once: the meter would drop some of those that follow each other.
  await ovs.vsctl('set', 'Bridge', bridge, 'external_ids:ovs-ipfix-max-rate=1000000');
}

/** Injects frames of one flow until one of them is a sample that is exported. */
async function exportSamples(ovs: Ovs, daemon: Daemon, bridge: string): Promise<void> {
  const before = await waitForBridge(daemon, bridge, 'runs', () => true);
  await waitFor(
    async () => {
      await ovs.inject(
        `port-${bridge}`,
        ...Array.from({ length: FRAMES }, () => udpFrame({ sourcePort: 9 })),
      );
      const { exporter } = await waitForBridge(daemon, bridge, 'runs', () => true);
      return exporter.samples > before.exporter.samples;
    },
    { what: `a packet of ${bridge} is sampled` },
  );
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

test(
  'collectors show the interfaces of options records, scale nothing, and nfcapd reports one gap for each repetition',
  tier('ovs', 'daemon', 'nfdump', 'pmacct', 'tshark', 'fixbuf'),
  async (t) => {
    const atEnd = lastFirst(t);
    const ovs = await startOvs();
    atEnd(() => ovs.stop());
    const nfcapd = await startNfcapd(['-o', 'fmt:%in %pkt %inam']);
    let nfdumpOutput = '';
    const stopNfcapd = async () => {
      nfdumpOutput ||= await nfcapd.stop();
    };
    atEnd(stopNfcapd);
    const stops: (() => Promise<string>)[] = [];
    const nfacctd = async (...args: Parameters<typeof startNfacctd>) => {
      const collector = await startNfacctd(...args);
      let output: Promise<string> | undefined;
      const stop = () => (output ??= collector.stop());
      stops.push(stop);
      atEnd(async () => {
        await stop();
      });
      return { ...collector, stop };
    };
    const scaling = await nfacctd('in_iface', { nfacctd_renormalize: 'true' });
    const names = await nfacctd('number,name,description', { nfacctd_account_options: 'true' }, [
      'name=number field_type=10 len=4 semantics=u_int',
      'name=name field_type=82 len=32 semantics=str',
      'name=description field_type=83 len=32 semantics=str',
    ]);
    const raw = await UdpSink.open();
    atEnd(() => raw.close());
    const sinks = [await FlowRecordSink.open(), await FlowRecordSink.open()];
    const bridges = ['plain', 'named'];
    const rows: string[] = [];
    for (const [index, bridge] of bridges.entries()) {
      const sink = sinks[index]!;
      atEnd(() => sink.close());
      await addBridge(ovs, bridge, IFINDEX + index, `web-${index}`);
      const targets = [sink.target, raw.target, nfcapd.target, scaling.target, names.target];
      rows.push(
        await createIpfixRow(ovs, bridge, targets, {
          ...FORMAT,
          sampling: INTERVAL,
          obs_domain_id: 10 + index,
          ...(bridge === 'named' ? { [OPTIONS_KEY]: '"interfaces"' } : {}),
        }),
      );
    }
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.stop());
    for (const bridge of bridges) {
      await waitForHook(daemon, bridge);
      await waitForBridge(daemon, bridge, 'has its port', ({ interfaces }) => interfaces.count === 2);
      await exportSamples(ovs, daemon, bridge);
    }
    // A change of the options repeats them at once; over UDP the templates repeat them after minutes.
    await setIpfixRow(ovs, rows[1]!, { [OPTIONS_KEY]: '"sampling,interfaces"' });
    await waitForBridge(
      daemon,
      'named',
      'has both options',
      ({ exporter }) => exporter.options.optionsRecords?.samplingPopulation === INTERVAL,
    );
    await exportSamples(ovs, daemon, 'named');
    const { exporter } = await waitForBridge(daemon, 'named', 'runs', () => true);
    const { optionsMessages, optionsRecordsSent } = exporter.collectors[0]!;
    assert.deepEqual([optionsMessages, optionsRecordsSent], [2, 2 + 3]);
    assert.equal(exporter.interfacesOmitted, 0);
    await daemon.stop();

    // The sink is strict: each message has the sequence number that follows, counted with options records.
    const packets = sinks.map(({ records }) =>
      sum(records.map(({ fields }) => Number(fields['packetDeltaCount'] ?? 0))),
    );
    assert.ok(
      packets.every((count) => count > 0 && count % INTERVAL === 0),
      packets.join(' '),
    );
    await raw.waitUntil(
      (all) => all.length >= sum(sinks.map((sink) => sink.messages.length)),
      'all messages',
    );
    for (const { port } of [nfcapd, scaling, names]) {
      await drained(port);
    }
    await stopNfcapd();
    await t.test('nfdump shows what is attached, and counts that are not scaled', () => {
      const lines = nfdumpOutput
        .split('\n')
        .map((line) => line.trim().split(/\s+/u))
        .filter((line) => line.length >= 2);
      for (const [index, expected] of [undefined, 'web-1'].entries()) {
        const own = lines.filter(([number]) => number === String(IFINDEX + index));
        assert.equal(sum(own.map(([, count]) => Number(count))), packets[index], nfdumpOutput);
        assert.deepEqual(new Set(own.map(([, , name]) => name)), new Set([expected]));
      }
    });
    await t.test('nfcapd has one false gap, for the repetition, and no other complaint', () => {
      const errors = nfcapd.complaints().matchAll(/Sequence Errors: (\d+), Bad Packets: (\d+)/gu);
      const counts = [...errors].map(([, sequence, bad]) => [Number(sequence), Number(bad)] as const);
      assert.equal(sum(counts.map(([sequence]) => sequence)), 1, nfcapd.complaints());
      assert.equal(sum(counts.map(([, bad]) => bad)), 0);
    });
    await t.test('nfacctd with renormalize has counts that are not scaled', async () => {
      const output = jsonLines(await scaling.stop());
      for (const index of bridges.keys()) {
        const own = output.filter((each) => each['iface_in'] === IFINDEX + index);
        assert.equal(sum(own.map((each) => Number(each['packets'] ?? 0))), packets[index]);
      }
      assert.equal(scaling.complaints(), '');
    });
    await t.test('nfacctd shows names and what is attached', async () => {
      const output = jsonLines(await names.stop());
      const shown = output.find((each) => Number(each['number']) === IFINDEX + 1 && each['name'] !== '');
      assert.equal(shown?.['name'], 'port-named');
      assert.equal(shown['description'], 'web-1');
    });
    await t.test('tshark and ipfixDump decode them without an error', async () => {
      const text = await tsharkText(raw.datagrams);
      assert.doesNotMatch(text, /Malformed|\[Expert Info/u);
      const lines = new Set(text.split('\n').map((line) => line.trim()));
      for (const line of [
        'IfName: port-named',
        'IfDescr: web-1',
        'Sampling algorithm: Deterministic sampling (1)',
        'Sampling Size: 1',
        `Sampling Population: ${INTERVAL}`,
      ]) {
        assert.ok(lines.has(line), line);
      }
      const dumped = await ipfixDump(raw.datagrams);
      assert.equal(dumped.warnings, '');
      assert.match(dumped.text, /port-named/u);
    });
  },
);

function jsonLines(text: string): readonly Readonly<Record<string, string | number>>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Readonly<Record<string, string | number>>);
}
