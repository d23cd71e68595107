// The source address of the export with a real Open vSwitch: that of a row, that of the process, one that this host does not have, and
// one of another family than a collector.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startDaemon } from '../support/daemon.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { udpFrame } from '../support/frames.ts';
import { createIpfixRow, daemonStatus, setIpfixRow, waitForBridge } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const KEY = 'external_ids:ovs-ipfix-source-address';
/** Of a network for documentation (RFC 5737). */
const NOT_OURS = '192.0.2.77';

/** Starts an Open vSwitch with bridge br0, and collectors on 127.0.0.1 and ::1 that its row names. */
async function start(t: TestContext, columns: Readonly<Record<string, string>> = {}) {
  const atEnd = lastFirst(t);
  const ovs = await startOvs({ allowedWarnings: [/collector/u] });
  atEnd(() => ovs.stop());
  const ipv4 = await UdpSink.open();
  const ipv6 = await UdpSink.open({ host: '::1' });
  atEnd(() => ipv4.close());
  atEnd(() => ipv6.close());
  await ovs.addBridge('br0');
  await ovs.addDummyPort('br0', 'p1');
  const row = await createIpfixRow(ovs, 'br0', [ipv4.target, ipv6.target], { sampling: 1, ...columns });
  return { ovs, row, ipv4, ipv6, atEnd };
}

const addressOf = (source = '') => source.split(' ')[0];

test(
  'messages come from the address of the row, and from another one after a change',
  tier('ovs', 'daemon'),
  async (t) => {
    const { ovs, row, ipv4, ipv6, atEnd } = await start(t, { [KEY]: '"127.0.0.2,::1"' });
    const daemon = await startDaemon(ovs, { arguments: ['--source-address', NOT_OURS] });
    atEnd(() => daemon.stop());
    await ovs.inject('p1', udpFrame({ sourcePort: 1 }));
    await ipv4.waitForCount(2);
    await ipv6.waitForCount(2);
    assert.deepEqual([...new Set(ipv4.sources.map(addressOf))], ['127.0.0.2']);
    assert.deepEqual([...new Set(ipv6.sources.map(addressOf))], ['::1']);
    const { exporter } = await waitForBridge(
      daemon,
      'br0',
      'sampled',
      ({ sampler }) => sampler.received === 1,
    );
    assert.deepEqual(
      exporter.collectors.map(({ sourceAddress }) => sourceAddress),
      ['127.0.0.2', '::1'],
    );
    ipv4.clear();
    await setIpfixRow(ovs, row, { [KEY]: '"127.0.0.3,::1"' });
    await waitForBridge(
      daemon,
      'br0',
      'the new address is used',
      (status) => status.exporter.collectors[0]?.sourceAddress === '127.0.0.3',
    );
    await ovs.inject('p1', udpFrame({ sourcePort: 2 }));
    await ipv4.waitForCount(2);
    assert.deepEqual([...new Set(ipv4.sources.map(addressOf))], ['127.0.0.3']);
  },
);

test(
  'an address that is not of this host, and a target of another family, are conditions of the row',
  tier('ovs', 'daemon'),
  async (t) => {
    const { ovs, row, ipv4, ipv6, atEnd } = await start(t);
    const daemon = await startDaemon(ovs, { arguments: ['--source-address', NOT_OURS] });
    atEnd(() => daemon.stop());
    const problem = () => ovs.vsctl('--if-exists', 'get', 'IPFIX', row, 'external_ids:ovs-ipfix-problem');
    const said = await waitFor(
      async () => {
        const text = await problem();
        return text.includes('source-address-unavailable') && text;
      },
      { what: 'the row says that its source address is not of this host' },
    );
    assert.ok(said.includes(NOT_OURS) && said.includes(ipv4.target));
    assert.ok(said.includes('source-address-family') && said.includes(ipv6.target));
    const { conditions } = await daemonStatus(daemon);
    const found = conditions.filter(({ code }) => code.startsWith('source-address'));
    assert.deepEqual(
      new Set(found.map(({ code, severity, ipfixRow }) => `${code} ${severity} ${ipfixRow}`)),
      new Set([`source-address-family warning ${row}`, `source-address-unavailable warning ${row}`]),
    );
    await setIpfixRow(ovs, row, { [KEY]: '"127.0.0.1,::1"' });
    await waitFor(async () => !(await problem()).includes('source-address'), {
      what: 'the conditions are gone',
    });
    await ovs.inject('p1', udpFrame({ sourcePort: 3 }));
    await Promise.all([ipv4.waitForCount(2), ipv6.waitForCount(2)]);
    assert.deepEqual(addressOf(ipv4.sources[0]), '127.0.0.1');
  },
);

test(
  'a collector that the row names by name and by address is reported, and both get records',
  tier('ovs', 'daemon'),
  async (t) => {
    const { ovs, row, ipv4, atEnd } = await start(t);
    await ovs.vsctl('set', 'IPFIX', row, `targets="${ipv4.target}","localhost:${ipv4.port}"`);
    await ovs.vsctl('set', 'IPFIX', row, `${KEY}=127.0.0.1`);
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.stop());
    const condition = await waitFor(
      async () => (await daemonStatus(daemon)).conditions.find(({ code }) => code === 'duplicate-target'),
      { what: 'the condition' },
    );
    assert.equal(condition.ipfixRow, row);
    assert.ok(condition.message.includes(`"${ipv4.target}"`));
    assert.ok(condition.message.includes(`"localhost:${ipv4.port}"`));
  },
);
