// The metrics: their text as promtool and a real daemon's state see it, and that the page about them, the alert rules and
// the dashboard use the names that there are.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { METRICS, metricsText } from '../../src/report/metrics.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import { startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { daemonStatus } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { runProgram } from '../support/process.ts';
import { tier } from '../support/tiers.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NAMES = new Set(METRICS.map(({ name }) => name));

function read(...path: readonly string[]): string {
  return readFileSync(join(ROOT, ...path), 'utf8');
}

/** The value of a series, given as it stands in the text. */
function valueOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test('the page about metrics has each one with its type, labels and meaning, and no other', () => {
  const rows = read('docs', 'metrics.md').match(/^\| `.*$/gmu);
  const wanted = METRICS.map(
    ({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.join(', ')} | ${help} |`,
  );
  assert.deepEqual(rows, wanted);
});

test('names end as Prometheus wants it', () => {
  assert.equal(NAMES.size, METRICS.length);
  for (const { name, type } of METRICS) assert.equal(name.endsWith('_total'), type === 'counter', name);
});

test('alert rules and dashboard use metrics that there are', () => {
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

test('promtool accepts the alert rules, and they fire when they are to', tier('prometheus'), async () => {
  const cwd = join(ROOT, 'docker', 'metrics');
  assert.match(
    await runProgram('promtool', ['check', 'rules', 'alerts.yml'], { cwd }),
    /SUCCESS: 10 rules found/u,
  );
  assert.match(await runProgram('promtool', ['test', 'rules', 'alerts.test.yml'], { cwd }), /SUCCESS/u);
});

test(
  'the metrics of a real daemon are those of its status, and promtool has nothing to say',
  tier('ovs', 'daemon', 'prometheus'),
  async (t) => {
    const ovs = await startOvs();
    const daemon = await startDaemon(ovs);
    t.after(() =>
      endInOrder(
        () => daemon.stop(),
        () => ovs.stop(),
      ),
    );
    const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, cache_max_flows: 100 });
    await br.sample(udpFrame({ sourcePort: 1 }), udpFrame({ sourcePort: 2 }), udpFrame({ sourcePort: 2 }));
    const document: StatusDocument = await daemonStatus(daemon);
    const text = await metricsText(document);
    await runProgram('promtool', ['check', 'metrics'], { input: text });
    const labels = `bridge="${br.name}",exporter="bridge"`;
    assert.equal(valueOf(text, `ovs_ipfix_samples_total{${labels}}`), 3);
    assert.equal(valueOf(text, `ovs_ipfix_cache_flows{${labels}}`), 2);
    assert.equal(valueOf(text, `ovs_ipfix_cache_flows_limit{${labels}}`), 100);
    assert.equal(valueOf(text, `ovs_ipfix_cache_hits_total{${labels}}`), 1);
    assert.equal(valueOf(text, `ovs_ipfix_collector_open{${labels},collector="${br.sink.target}"}`), 1);
    assert.equal(valueOf(text, 'ovs_ipfix_ready'), 1);
    assert.equal(valueOf(text, `ovs_ipfix_hook_in_place{bridge="${br.name}"}`), 1);
    assert.equal(valueOf(text, 'process_start_time_seconds'), Date.parse(document.program.startTime) / 1000);
    const documented = METRICS.filter(({ read: values }) => values(document).length > 0);
    for (const { name } of documented) assert.match(text, new RegExp(`^# HELP ${name} `, 'mu'));

    // What has gone leaves nothing behind, and names of any kind are escaped.
    const [bridge] = document.bridges;
    const odd = await metricsText({ ...document, bridges: [{ ...bridge!, bridge: 'a"b\\c\nd' }] });
    assert.equal(valueOf(odd, `ovs_ipfix_samples_total{${labels}}`), undefined);
    assert.equal(valueOf(odd, String.raw`ovs_ipfix_samples_total{bridge="a\"b\\c\nd",exporter="bridge"}`), 3);
    await runProgram('promtool', ['check', 'metrics'], { input: odd });
  },
);
