// Users' traffic while daemons are started, stopped, killed and released: the short form of `npm run test:forwarding`.
// support/forwarding-comparison.ts says what is compared, and how losses by a busy machine and by the daemon are distinguished.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForwardingLab, PACKET_RATE } from '../support/forwarding.ts';
import { compareForwarding, compareLosses, describeComparison } from '../support/forwarding-comparison.ts';
import { tier } from '../support/tiers.ts';

const NEEDS = tier('ovs', 'daemon', 'namespaces');
const PAIRS = 5;
const PAIRS_MAX = 15;

test('starts, stops and kills of the daemon lose no more packets and pings than runs without it', {
  ...NEEDS,
  timeout: 300_000,
}, async (t) => {
  const lab = await ForwardingLab.start();
  t.after(() => lab.stop());
  const comparison = await compareForwarding(lab, { pairs: PAIRS, pairsMax: PAIRS_MAX });
  t.diagnostic(describeComparison(comparison));
  assert.ok(comparison.daemon.packets > PACKET_RATE, 'packets were sent');
  assert.ok(comparison.daemon.pings > 0, 'pings were sent');
  assert.equal(comparison.isWorse, false, describeComparison(comparison));
});

test('a loss is reported for the run in which the switch drops packets', NEEDS, async (t) => {
  const lab = await ForwardingLab.start();
  t.after(() => lab.stop());
  const { ovs } = lab;
  await lab.run('control', () => lab.pass(PACKET_RATE / 10));
  await lab.run('daemon', async () => {
    await ovs.ofctl('add-flow', 'br0', 'priority=65535,ip,actions=drop');
    await ovs.ofctl('--strict', 'del-flows', 'br0', 'priority=65535,ip');
    await lab.pass(PACKET_RATE / 10);
  });
  const [control, daemon] = await lab.losses();
  assert.equal(control?.lostPackets, 0);
  assert.equal(control.lostPings, 0);
  assert.ok(daemon !== undefined && daemon.lostPackets > 0);
  assert.equal(compareLosses(await lab.losses()).isWorse, true);
});
