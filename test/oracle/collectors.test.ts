// The third-party collectors that tests use, each with a message encoded here.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import {
  ipfixDump,
  type PortCollector,
  startNfacctd,
  startNfcapd,
  tsharkText,
} from '../support/collectors.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

/** A message encoded by hand (RFC 7011): a template of addresses, counters, protocol and times, and one record of it. */
const MESSAGE = Buffer.from(
  '000a0061655b0000000000000000000100020024' +
    '010000070008000400' +
    '0c000400010008000200080004000100980008009900080100002d0a0000010a000002' +
    '000000000000006400000000000000011100' +
    '00018bcfe568000000018bcfe56800',
  'hex',
);

async function send(collector: PortCollector): Promise<void> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => {
    socket.send(MESSAGE, collector.port, '127.0.0.1', () => resolve());
  });
  socket.close();
}

test('nfcapd and nfdump print a record that was sent to them', tier('nfdump'), async () => {
  const collector = await startNfcapd();
  await send(collector);
  await waitFor(() => collector.complaints().includes('New ipfix exporter'), { what: 'nfcapd has it' });
  assert.match(await collector.stop(), /"src4_addr" : "10\.0\.0\.1"/);
});

test('nfacctd prints records that were sent to it', tier('pmacct'), async () => {
  const collector = await startNfacctd();
  const hasOutput = async () => {
    // It writes only while more messages arrive, or when it ends.
    await send(collector);
    return (await collector.output()).includes('"ip_src": "10.0.0.1"');
  };
  await waitFor(hasOutput, { what: 'nfacctd has them', timeoutMs: 10_000, intervalMs: 200 });
  assert.equal(collector.complaints(), '');
  await collector.stop();
});

test(
  'tshark and ipfixDump decode a message, and report an invalid one',
  tier('tshark', 'fixbuf'),
  async () => {
    assert.match(await tsharkText([MESSAGE]), /SrcAddr: 10\.0\.0\.1/);
    const good = await ipfixDump([MESSAGE]);
    assert.match(good.text, /sourceIPv4Address : 10\.0\.0\.1/);
    assert.equal(good.warnings, '');
    // The record refers to another template.
    const broken = Buffer.from(MESSAGE);
    broken.writeUInt16BE(300, 52);
    assert.match((await ipfixDump([broken])).warnings, /Missing external template/);
  },
);
