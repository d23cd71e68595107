// A real Prometheus beside a real daemon and OVS: it scrapes /metrics, evaluates every alert rule and every query of the
// dashboard, raises alerts for collectors that are down, and has no series of a bridge that is not exported any more.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Daemon } from '../support/daemon.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { daemonStatus, targetsArgument, waitForNoBridge } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { pageAddress } from '../support/page.ts';
import { METRICS_FOLDER, Prometheus } from '../support/prometheus.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withDaemon } from '../support/with-daemon.ts';

const TIERS = tier('ovs', 'daemon', 'prometheus');
/** Series that are there only while something is wrong. */
const OF_FAULTS = /ovs_ipfix_conditions|ovs_ipfix_collector_errors_total/u;

let ovs: Ovs;
let daemon: Daemon;

withDaemon(
  (running) => {
    ({ ovs, daemon } = running);
  },
  {
    skip: TIERS.skip,
    daemon: { arguments: ['--web', '127.0.0.1:0'], readyTimeoutMs: 20_000 },
  },
);

/** Returns the queries of the dashboard's panels, with values instead of Grafana's variables. */
function dashboardQueries(): string[] {
  const text = readFileSync(join(METRICS_FOLDER, 'dashboard.json'), 'utf8');
  const { panels } = JSON.parse(text) as { panels: { targets?: { expr: string }[] }[] };
  return panels.flatMap(({ targets }) =>
    (targets ?? []).map(({ expr }) =>
      expr.replace(/\$(?:instance|bridge)\b/gu, '.*').replaceAll('$__rate_interval', '1m'),
    ),
  );
}

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
  readonly lastError?: string;
}

async function alertRules(prometheus: Prometheus): Promise<readonly Rule[]> {
  const { groups } = (await prometheus.get('rules')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** Returns the alerts that are pending or firing, as `NAME COLLECTOR`. */
async function raisedAlerts(prometheus: Prometheus): Promise<ReadonlySet<string>> {
  const { alerts } = (await prometheus.get('alerts')) as { alerts: { labels: Record<string, string> }[] };
  return new Set(alerts.map(({ labels }) => `${labels['alertname']} ${labels['collector']}`));
}

test('Prometheus scrapes the daemon, and can evaluate all rules and the dashboard', TIERS, async (t) => {
  const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, cache_max_flows: 100 });
  const prometheus = await Prometheus.start(t, new URL(await pageAddress(daemon)).host);
  const samples = `ovs_ipfix_samples_total{job="ovs-ipfix",bridge="${br.name}",exporter="bridge"}`;
  const waitForSamples = (count: string) =>
    waitFor(async () => (await prometheus.query(samples))[0]?.value[1] === count, {
      what: `Prometheus has ${count} samples`,
      timeoutMs: 20_000,
    });
  await waitForSamples('0');
  await br.sample(udpFrame({ sourcePort: 1 }), udpFrame({ sourcePort: 2 }));
  await waitForSamples('2');
  assert.deepEqual(
    (await prometheus.query('up')).map(({ metric, value }) => [metric['job'], value[1]]),
    [['ovs-ipfix', '1']],
  );

  const queries = dashboardQueries();
  assert.ok(queries.length > 25, `only ${queries.length} queries were found in the dashboard`);
  for (const query of queries.filter((each) => !OF_FAULTS.test(each))) {
    await waitFor(async () => (await prometheus.query(query)).length > 0, {
      what: `the dashboard's query has a value: ${query}`,
      timeoutMs: 15_000,
    });
  }
  for (const query of queries.filter((each) => OF_FAULTS.test(each))) {
    await prometheus.query(query);
  }

  const rules = await waitFor(
    async () => {
      const all = await alertRules(prometheus);
      return all.every(({ health }) => health !== 'unknown') && all;
    },
    { what: 'all rules have been evaluated', timeoutMs: 15_000 },
  );
  assert.ok(rules.length >= 16);
  for (const { name, health, state, lastError } of rules) {
    assert.deepEqual([name, health, lastError, state], [name, 'ok', undefined, 'inactive']);
  }
});

test('unreachable collectors raise alerts, and a deleted bridge leaves no series', TIERS, async (t) => {
  // Warnings of ovs-vswitchd about the name without an address, while it exports for the row.
  ovs.allowWarnings(/no-such-host\.invalid/u);
  const br = await exportingBridge(t, ovs, daemon);
  const refusing = br.sink.target;
  const unresolved = 'no-such-host.invalid:4739';
  await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument([refusing, unresolved]));
  await br.waitForStatus('two collectors', ({ exporter }) => exporter.collectors.length === 2);
  const prometheus = await Prometheus.start(t, new URL(await pageAddress(daemon)).host);
  const ofBridge = `{__name__=~"ovs_ipfix_.*",bridge="${br.name}"}`;
  await waitFor(async () => (await prometheus.query(ofBridge)).length > 30, {
    what: 'Prometheus has the series of the bridge',
    timeoutMs: 20_000,
  });

  await br.sink.close();
  // Over UDP the system reports a closed port after a message was sent. What was sent does not count as lost; what is for a
  // collector without an address does.
  const expected = [
    ['OvsIpfixCollectorAway', refusing],
    ['OvsIpfixCollectorAway', unresolved],
    ['OvsIpfixCollectorLosing', unresolved],
  ] as const;
  await waitFor(
    async () => {
      await br.inject(udpFrame({}));
      const raised = await raisedAlerts(prometheus);
      return expected.every(([name, collector]) => raised.has(`${name} ${collector}`));
    },
    { what: 'the alerts about both collectors are pending', timeoutMs: 20_000, intervalMs: 200 },
  );
  const errors = await prometheus.query(
    `ovs_ipfix_collector_errors_total{bridge="${br.name}",collector="${refusing}"}`,
  );
  assert.deepEqual(
    errors.map(({ metric }) => metric['error']),
    ['ECONNREFUSED'],
  );

  await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
  await waitForNoBridge(daemon, br.name);
  assert.ok((await daemonStatus(daemon)).missing.length === 0);
  await waitFor(async () => (await prometheus.query(ofBridge)).length === 0, {
    what: 'Prometheus has no series of the bridge any more',
    timeoutMs: 20_000,
  });
});
