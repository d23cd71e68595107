// Findings about rows that are not conditions of the daemon.

import type { BridgeConfig } from '../../config/configuration.ts';
import { type DatabaseRow, isOurs } from '../../config/ipfix-row.ts';
import { ownerOf } from '../../config/own-rows.ts';
import { STATE_KEY } from '../../config/row-keys.ts';
import type { UsedIpfixRow } from '../../config/used-row.ts';
import type { CollectorTarget } from '../../export/collector-session.ts';
import { targetKey } from '../../export/exporter-options.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { type Finding, finding } from './finding.ts';

/** What the checks of rows need to know of daemons. */
export interface DaemonPresence {
  /** Whether one may run. */
  readonly isRunning: boolean;
  /** Whether it takes rows over: not after `release`. */
  readonly isAdopting: boolean;
}

/** Returns the findings. */
export function checkRows({ tables, configuration }: DatabaseFacts, presence: DaemonPresence): Finding[] {
  const used = new Set(
    configuration.ipfixRows.filter(({ bridges }) => bridges.length > 0).map(({ row }) => row.uuid),
  );
  const unused = [...tables.ipfix.values()].filter(
    (row) => !used.has(row.uuid) && ownerOf(row) === undefined,
  );
  return [
    ...configuration.ipfixRows.flatMap((row) => checkOwner(row, presence)),
    ...unused.map(({ uuid }) =>
      finding(
        'note',
        'row-unused',
        `IPFIX row ${uuid}`,
        'No bridge uses it, so nothing is exported for it.',
        `Give it to a bridge with "ovs-vsctl set Bridge BRIDGE ipfix=${uuid}", or delete it with "ovs-vsctl destroy IPFIX ${uuid}".`,
      ),
    ),
    ...(presence.isRunning ? [] : checkOwnRows([...tables.collectorSets])),
    ...[...configuration.bridges.values()].flatMap(checkDoubleExport),
    ...checkDomains([...configuration.bridges.values()]),
  ];
}

/** Own rows belong to a daemon that runs. */
function checkOwnRows(collectorSets: readonly DatabaseRow[]): Finding[] {
  return collectorSets
    .filter((row) => ownerOf(row) !== undefined)
    .map(({ uuid, columns }) =>
      finding(
        'warning',
        'stale-own-rows',
        `Flow_Sample_Collector_Set ${String(columns['id'])} (row ${uuid})`,
        'A daemon that did not stop cleanly has left its own collector set; the row of a deleted bridge stays with it.',
        'Start the daemon, or remove it with "ovs-ipfix release".',
      ),
    );
}

function checkOwner(
  { row, bridges, hasUsableTarget }: UsedIpfixRow,
  { isRunning, isAdopting }: DaemonPresence,
): Finding[] {
  if (bridges.length === 0 || !hasUsableTarget) {
    return [];
  }
  const where = `IPFIX row ${row.uuid} of ${bridges.map((name) => `bridge ${name}`).join(', ')}`;
  if (isOurs(row) && !isRunning) {
    const state = row.externalIds.get(STATE_KEY);
    const isAdopted = state === 'adopted' || state === 'redirected';
    return [
      finding(
        'error',
        'held-without-daemon',
        where,
        'Its targets are held for ovs-ipfix, and no daemon runs: nothing is exported for it.',
        isAdopted
          ? 'Start the daemon, or hand the row back to ovs-vswitchd with "ovs-ipfix release".'
          : 'Start the daemon; it is the only exporter of this row.',
      ),
    ];
  }
  if (!isOurs(row) && isRunning && isAdopting) {
    return [
      finding(
        'note',
        'row-of-vswitchd',
        where,
        'ovs-vswitchd exports for it, not ovs-ipfix.',
        'Unless another finding says why, --adopt decides that; with --adopt=all, or with --adopt=marked and external_ids:ovs-ipfix=adopt, ovs-ipfix takes it over.',
      ),
    ];
  }
  return [];
}

/** Packets of a flow with a `sample` action are also sampled for the whole bridge. */
function checkDoubleExport({ name, sampling, flowSampling }: BridgeConfig): Finding[] {
  const whole = sampling?.isOurs === true ? sampling.exporter.targets : [];
  const own = new Set(whole.map(({ text }) => text));
  const sets = [...flowSampling.values()].filter(({ isOurs }) => isOurs);
  return sets.flatMap(({ collectorSetId, exporter }) => {
    const both = exporter.targets.map(({ text }) => text).filter((text) => own.has(text));
    if (both.length === 0) {
      return [];
    }
    return [
      finding(
        'warning',
        'double-export',
        `Bridge ${name}, collector set ${collectorSetId}`,
        `${both.join(', ')} gets the packets of this set a second time, in the records of the whole bridge.`,
        'Give one of them another collector, or another obs_domain_id by which the collector tells them apart.',
      ),
    ];
  });
}

/** Sequence numbers are per domain and session; a collector that ignores the session sees gaps. */
function checkDomains(bridges: readonly BridgeConfig[]): Finding[] {
  const users = new Map<string, string[]>();
  for (const { name, sampling } of bridges) {
    const targets = sampling?.isOurs === true ? sampling.exporter.targets : [];
    // Each bridge writes files of its own.
    for (const target of targets.filter(({ transport }) => transport !== 'file')) {
      const key = `${target.text}, observation domain ${sampling?.observationDomainId}`;
      users.set(key, [...(users.get(key) ?? []), name]);
    }
  }
  return [...users].flatMap(([key, names]) =>
    names.length < 2
      ? []
      : [
          finding(
            'warning',
            'domain-shared',
            `Collector ${key}`,
            `The bridges ${names.join(', ')} send it records of the same observation domain; nfcapd and others then report lost records.`,
            'Give each bridge a domain of its own: "ovs-vsctl set IPFIX ROW obs_domain_id=ID".',
          ),
        ],
  );
}

/** Returns the valid targets of all used rows, each once. */
export function targetsInUse({ configuration }: DatabaseFacts): readonly CollectorTarget[] {
  const used = configuration.ipfixRows.filter(({ bridges }) => bridges.length > 0);
  const targets = used.flatMap((row) => row.targets);
  return [...new Map(targets.map((target) => [targetKey(target), target])).values()];
}
