// ipfixcol2, which Debian has since sid, with records of both formats: over UDP from a real Open vSwitch, and over TCP from
// `replay`. It shows each element by its IANA name, and each must have the value of the strict reader.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RECORD_FORMATS } from '../../src/ipfix/record-layout.ts';
import { drained, framePcap, startIpfixcol2 } from '../support/collectors.ts';
import { vectorFrames } from '../support/compared-records.ts';
import { startDaemon } from '../support/daemon.ts';
import { assertSameRecords, recordsOfIpfixcol2 } from '../support/decoded-records.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { FLOWS, PACKETS } from '../support/extended-flows.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { createIpfixRow, waitForBridge, waitForHook } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';

const NEEDS = tier('ovs', 'daemon', 'ipfixcol2');

/** The format of records over UDP, and the options records beside them. */
const OVER_UDP = [
  ['original', ''],
  ['extended', ''],
  ['extended', 'sampling,interfaces'],
] as const;

for (const [format, options] of OVER_UDP) {
  const beside = options === '' ? '' : ` beside options records of ${options}`;
  test(`shows each element of records of the format ${format}${beside} over UDP`, NEEDS, async (t) => {
    const atEnd = lastFirst(t);
    const ovs = await startOvs();
    atEnd(() => ovs.stop());
    const sink = await FlowRecordSink.open();
    atEnd(() => sink.close());
    const collector = await startIpfixcol2('udp');
    let text = '';
    const stopCollector = async () => {
      text ||= await collector.stop();
    };
    atEnd(stopCollector);
    await ovs.addBridge('br0');
    await ovs.addDummyPort('br0', 'p1');
    await createIpfixRow(ovs, 'br0', [sink.target, collector.target], {
      sampling: 1,
      cache_active_timeout: 600,
      cache_max_flows: 1000,
      obs_domain_id: 10,
      'external_ids:ovs-ipfix-record-format': format,
      ...(options === '' ? {} : { 'external_ids:ovs-ipfix-options': `"${options}"` }),
    });
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.stop());
    await waitForHook(daemon, 'br0');
    for (const { frames } of FLOWS) {
      await ovs.inject('p1', ...frames);
    }
    await waitForBridge(daemon, 'br0', 'all is sampled', ({ exporter }) => exporter.samples === PACKETS);
    await daemon.appctl('flush');
    const { exporter } = await waitForBridge(daemon, 'br0', 'is flushed', () => true);
    const hasOptions = exporter.collectors.map(({ optionsMessages }) => optionsMessages > 0);
    assert.deepEqual(hasOptions, [options !== '', options !== '']);
    await daemon.stop();
    const records = await sink.waitForPackets(PACKETS);
    await drained(collector.port);
    await stopCollector();
    assert.equal(collector.complaints(), '');
    // ipfixcol2 reads options records without a complaint, and does not print them.
    const flows = records.filter(({ fields }) => 'packetDeltaCount' in fields);
    assertSameRecords(flows, recordsOfIpfixcol2(text));
  });
}

for (const format of RECORD_FORMATS) {
  test(`shows each element of records of the format ${format} over TCP`, NEEDS, async (t) => {
    const atEnd = lastFirst(t);
    const folder = await mkdtemp(join(tmpdir(), 'ipfixcol2-replay-'));
    atEnd(() => rm(folder, { recursive: true, force: true }));
    const sink = await FlowRecordSink.open();
    atEnd(() => sink.close());
    const collector = await startIpfixcol2('tcp');
    let text = '';
    const stopCollector = async () => {
      text ||= await collector.stop();
    };
    atEnd(stopCollector);
    const capture = join(folder, 'frames.pcap');
    await writeFile(capture, framePcap(vectorFrames));
    for (const target of [sink.target, `tcp:${collector.target}`]) {
      const args = [DAEMON_FILE, 'replay', capture, '--record-format', format, '--to', target];
      await runProgram(process.execPath, args, { timeoutMs: 30_000 });
    }
    const records = await sink.waitForPackets(vectorFrames.length);
    await drained(collector.port, 'tcp');
    await stopCollector();
    assert.equal(collector.complaints(), '');
    assertSameRecords(records, recordsOfIpfixcol2(text));
  });
}
