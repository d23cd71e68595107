// The metrics that there are: the page about them, the alert rules and the dashboard use their names, and names and types
// are as Prometheus wants them. test/integration/metrics.test.ts has their text.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BridgeInterfaces } from '../../src/control/sampled-bridge-parts.ts';
import type { BridgeInterface } from '../../src/intake/ingress-interfaces.ts';
import { MeterLedger } from '../../src/intake/meter-ledger.ts';
import { INTERFACE_METRICS, INTERFACE_SERIES_MAX } from '../../src/report/interface-metrics.ts';
import { METRICS } from '../../src/report/metrics.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NAMES = new Set(METRICS.map(({ name }) => name));

function read(...path: readonly string[]): string {
  return readFileSync(join(ROOT, ...path), 'utf8');
}

test('documents each metric with its type, labels, unit and meaning, and no other', () => {
  const rows = read('docs', 'metrics.md').match(/^\| `.*$/gmu);
  const wanted = METRICS.map(
    ({ name, type, labels, unit, help }) =>
      `| \`${name}\` | ${type} | ${labels.join(', ')} | ${unit} | ${help} |`,
  );
  assert.deepEqual(rows, wanted);
});

test('follows Prometheus’s rules for names and units', () => {
  assert.equal(NAMES.size, METRICS.length);
  for (const { name, type, unit, labels } of METRICS) {
    assert.match(name, /^(?:ovs_ipfix|process)_[a-z_]+$/u);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    for (const base of ['seconds', 'bytes']) {
      assert.equal(new RegExp(`_${base}(?:_total)?$`, 'u').test(name), unit === base, name);
    }
    assert.ok(labels.length <= 4, name);
  }
});

test('exports lost packet-ins as a gauge, because packets that counted as lost are subtracted when they arrive', () => {
  const ledger = new MeterLedger();
  const observe = (packets: bigint) =>
    ledger.observe({ packets, octets: packets * 60n, dropped: 0n, droppedOctets: 0n });
  observe(0n);
  for (let count = 0; count < 90; count += 1) {
    ledger.arrive(60);
  }
  observe(100n);
  observe(100n);
  observe(100n);
  assert.equal(ledger.status().lost, 10);
  for (let count = 0; count < 10; count += 1) {
    ledger.arrive(60);
  }
  observe(100n);
  assert.equal(ledger.status().lost, 0);
  assert.equal(METRICS.find(({ name }) => name === 'ovs_ipfix_packet_ins_lost')?.type, 'gauge');
});

test('has each metric that alert rules and dashboard use', () => {
  for (const file of ['alerts.yml', 'dashboard.json']) {
    const used = read('docker', 'metrics', file).match(/\b(?:ovs_ipfix|process)_[a-z_]+/gu) ?? [];
    assert.ok(new Set(used).size >= 8, file);
    assert.deepEqual(
      used.filter((name) => !NAMES.has(name)),
      [],
      file,
    );
  }
  const dashboard = JSON.parse(read('docker', 'metrics', 'dashboard.json')) as { panels: { id: number }[] };
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
});

/** Returns the values of the metrics about interfaces. */
function interfaceValues(bridges: readonly BridgeInterfaces[]) {
  const [info, without] = INTERFACE_METRICS.map(({ read: values }) => values({} as StatusDocument, bridges));
  return { info: info ?? [], without: without ?? [] };
}

test('names interfaces and what is attached, and counts those without a series', () => {
  const port = (ofport: number, rest: Partial<BridgeInterface> = {}): BridgeInterface => ({
    ofport,
    number: 10 + ofport,
    name: `tap${ofport}`,
    type: '',
    description: `tap${ofport}`,
    ...rest,
  });
  const { info, without } = interfaceValues([
    { bridge: 'br1', interfaces: [port(1)] },
    { bridge: 'br0', interfaces: [port(1, { description: 'web-1' }), port(2)] },
  ]);
  const labels = (bridge: string, ofport: number, vm: string) => ({
    labels: { bridge, interface: `tap${ofport}`, ifindex: String(10 + ofport), vm },
    value: 1,
  });
  assert.deepEqual(info, [labels('br0', 1, 'web-1'), labels('br0', 2, ''), labels('br1', 1, '')]);
  assert.deepEqual(
    without.map(({ value }) => value),
    [0, 0],
  );

  const many = Array.from({ length: INTERFACE_SERIES_MAX - 1 }, (_, index) => port(index));
  const full = interfaceValues([
    { bridge: 'a', interfaces: many },
    { bridge: 'b', interfaces: [port(1), port(2), port(3)] },
    { bridge: 'c', interfaces: [port(1)] },
  ]);
  assert.equal(full.info.length, INTERFACE_SERIES_MAX);
  assert.deepEqual(
    full.without.map(({ labels: { bridge }, value }) => [bridge, value]),
    [
      ['a', 0],
      ['b', 2],
      ['c', 1],
    ],
  );
});
