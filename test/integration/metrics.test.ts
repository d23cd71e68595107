// The metrics, checked by promtool and compared with the state of a real daemon.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { BridgeInterfaces } from '../../src/control/sampled-bridge-parts.ts';
import { METRICS, Metrics } from '../../src/report/metrics.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import type { Daemon } from '../support/daemon.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { daemonStatus, waitForNoBridge } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { runProgram } from '../support/process.ts';
import { METRICS_FOLDER } from '../support/prometheus.ts';
import { tier } from '../support/tiers.ts';
import { withDaemon } from '../support/with-daemon.ts';

function read(file: string): string {
  return readFileSync(join(METRICS_FOLDER, file), 'utf8');
}

/** Returns the value of a series by its text. */
function valueOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test('promtool accepts the alert rules, and they fire when expected', tier('prometheus'), async () => {
  const cwd = METRICS_FOLDER;
  assert.match(await runProgram('promtool', ['check', 'rules', 'alerts.yml'], { cwd }), /SUCCESS/u);
  const alerts = [...read('alerts.yml').matchAll(/- alert: (\w+)/gu)].map(([, name]) => name);
  const fired = [...read('alerts.test.yml').matchAll(/alertname="(\w+)"/gu)];
  assert.ok(alerts.length >= 16);
  assert.deepEqual(new Set(alerts), new Set(fired.map(([, name]) => name)), 'each alert has a test');
  assert.match(await runProgram('promtool', ['test', 'rules', 'alerts.test.yml'], { cwd }), /SUCCESS/u);
});

/** Returns the counters of a text, with their values. */
function counters(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => /^[a-z_]+_total[{ ]/u.test(line));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

describe('the metrics of a real daemon', tier('ovs', 'daemon', 'prometheus'), () => {
  const COLUMNS = { cache_active_timeout: 60, cache_max_flows: 100 };
  let ovs: Ovs;
  let daemon: Daemon;

  withDaemon(
    (running) => {
      ({ ovs, daemon } = running);
    },
    { daemon: { readyTimeoutMs: 20_000 } },
  );

  /** Returns the text for the current state, after promtool has accepted it. */
  async function checkedText(
    change = (document: StatusDocument) => document,
    interfaces: readonly BridgeInterfaces[] = [],
  ): Promise<string> {
    const document = change(await daemonStatus(daemon));
    const text = await new Metrics({ status: () => document, interfaces: () => interfaces }).text();
    await runProgram('promtool', ['check', 'metrics'], { input: text });
    return text;
  }

  test('are correct before anything is exported', async () => {
    const text = await checkedText();
    assert.equal(valueOf(text, 'ovs_ipfix_ready'), 1);
    assert.equal(valueOf(text, 'ovs_ipfix_database_lock_state{state="held"}'), 1);
    assert.equal(valueOf(text, 'ovs_ipfix_database_lock_state{state="lost"}'), 0);
    assert.ok(!text.includes('bridge='));
  });

  test('equal its status, and counters only grow', async (t) => {
    const br = await exportingBridge(t, ovs, daemon, COLUMNS);
    await br.sample(udpFrame({ sourcePort: 1 }), udpFrame({ sourcePort: 2 }), udpFrame({ sourcePort: 2 }));
    const document = await daemonStatus(daemon);
    const text = await checkedText(() => document);
    const labels = `bridge="${br.name}",exporter="bridge"`;
    assert.equal(valueOf(text, `ovs_ipfix_samples_total{${labels}}`), 3);
    assert.equal(valueOf(text, `ovs_ipfix_cache_flows{${labels}}`), 2);
    assert.equal(valueOf(text, `ovs_ipfix_cache_flows_limit{${labels}}`), 100);
    assert.equal(valueOf(text, `ovs_ipfix_cache_hits_total{${labels}}`), 1);
    assert.equal(valueOf(text, `ovs_ipfix_collector_open{${labels},collector="${br.sink.target}"}`), 1);
    assert.equal(valueOf(text, `ovs_ipfix_hook_installed{bridge="${br.name}"}`), 1);
    assert.equal(valueOf(text, 'process_start_time_seconds'), Date.parse(document.program.startTime) / 1000);
    const busy = valueOf(text, 'ovs_ipfix_event_loop_busy_seconds_total') ?? 0;
    assert.ok(busy > 0 && busy <= document.program.upSeconds + 60, `${busy} s busy`);
    for (const { name } of METRICS) {
      assert.match(text, new RegExp(`^# HELP ${name} `, 'mu'));
    }

    const before = counters(text);
    assert.ok(before.size > 25);
    await br.sample(udpFrame({ sourcePort: 1 }), udpFrame({ sourcePort: 3 }));
    const later = counters(await checkedText());
    for (const [series, value] of before) {
      assert.ok((later.get(series) ?? -1) >= value, series);
    }
    assert.equal(later.get(`ovs_ipfix_samples_total{${labels}}`), 5);
  });

  test('distinguish a collector set and its bridge, and have no series of a deleted bridge', async (t) => {
    const br = await exportingBridge(t, ovs, daemon, COLUMNS);
    const row = ['--id=@i', 'create', 'IPFIX', `targets="${br.sink.target}"`];
    const set = ['create', 'Flow_Sample_Collector_Set', 'id=4', 'bridge=@b', 'ipfix=@i'];
    await ovs.vsctl('--id=@b', 'get', 'Bridge', br.name, '--', ...row, '--', ...set);
    await br.waitForStatus('the set is exported', ({ flowSampling }) => flowSampling.length === 1);
    const text = await checkedText();
    const limit = (exporter: string) =>
      `ovs_ipfix_cache_flows_limit{bridge="${br.name}",exporter="${exporter}"}`;
    assert.equal(valueOf(text, limit('bridge')), 100);
    assert.equal(valueOf(text, limit('set-4')), 0);
    const pool = (exporter: string) =>
      `ovs_ipfix_observed_packets_total{bridge="${br.name}",exporter="${exporter}"}`;
    assert.equal(valueOf(text, pool('sets')), 0);
    assert.equal(valueOf(text, pool('set-4')), undefined);

    await ovs.vsctl(
      '--all',
      'destroy',
      'Flow_Sample_Collector_Set',
      '--',
      'clear',
      'Bridge',
      br.name,
      'ipfix',
    );
    await waitForNoBridge(daemon, br.name);
    assert.ok(!(await checkedText()).includes(`"${br.name}"`));
  });

  test('escape names of any kind, and report a lost lock', async (t) => {
    const br = await exportingBridge(t, ovs, daemon, COLUMNS);
    const odd = { ofport: 1, number: 7, name: 'a"b\\c', type: '', description: 'web "1"' };
    const state = (document: StatusDocument): StatusDocument => ({
      ...document,
      database: { ...document.database, lock: 'lost' },
      missing: ['The lock of the active daemon was taken by another client.'],
      bridges: document.bridges
        .filter(({ bridge }) => bridge === br.name)
        .map((bridge) => ({ ...bridge, bridge: 'a"b\\c\nd' })),
    });
    const text = await checkedText(state, [{ bridge: br.name, interfaces: [odd] }]);
    assert.equal(
      valueOf(text, String.raw`ovs_ipfix_samples_total{bridge="a\"b\\c\nd",exporter="bridge"}`),
      0,
    );
    const info = String.raw`ovs_ipfix_interface_info{bridge="${br.name}",interface="a\"b\\c",ifindex="7",vm="web \"1\""}`;
    assert.equal(valueOf(text, info), 1);
    assert.equal(valueOf(text, 'ovs_ipfix_ready'), 0);
    assert.equal(valueOf(text, 'ovs_ipfix_database_lock_state{state="lost"}'), 1);
    assert.equal(valueOf(text, 'ovs_ipfix_database_lock_state{state="held"}'), 0);
  });

  test('are collected once for concurrent requests, without blocking the event loop', async (t) => {
    await exportingBridge(t, ovs, daemon, COLUMNS);
    const document = await daemonStatus(daemon);
    const [bridge] = document.bridges;
    const bridges = Array.from({ length: 300 }, (_, index) => ({ ...bridge!, bridge: `many${index}` }));
    let asked = 0;
    const metrics = new Metrics({
      status: () => {
        asked += 1;
        if (asked === 3) {
          throw new Error('no state to be had');
        }
        return { ...document, bridges };
      },
      interfaces: () => [],
    });
    let isDone = false;
    let turns = 0;
    const turn = () => {
      turns += 1;
      if (!isDone) {
        setImmediate(turn);
      }
    };
    setImmediate(turn);
    const [one, other] = await Promise.all([metrics.text(), metrics.text()]);
    isDone = true;
    assert.equal(asked, 1);
    assert.equal(one, other);
    // Almost each metric of a bridge has more series than a slice.
    assert.ok(turns > 40, `${turns} turns`);
    assert.match(one, /^ovs_ipfix_hook_installed\{bridge="many299"\} 1$/mu);

    assert.equal(await metrics.text(), one);
    assert.equal(asked, 2);
    await assert.rejects(metrics.text(), /no state to be had/u);
    assert.equal(await metrics.text(), one);
    assert.match(metrics.contentType, /^text\/plain; version=0\.0\.4/u);
  });
});
