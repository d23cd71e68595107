// What the rows say, beyond the conditions that the daemon itself names.

import { type BridgeConfig, isOurs, type UsedIpfixRow } from '../../config/configuration.ts';
import { STATE_KEY } from '../../config/row-keys.ts';
import type { DatabaseLook } from './database-look.ts';
import { type Finding, finding } from './finding.ts';

/** `isDaemonRunning`: whether held targets are exported by somebody. */
export function checkRows({ tables, configuration }: DatabaseLook, isDaemonRunning: boolean): Finding[] {
  const used = new Set(
    configuration.ipfixRows.filter(({ bridges }) => bridges.length > 0).map(({ row }) => row.uuid),
  );
  const unused = [...tables.ipfix.values()].filter(({ uuid }) => !used.has(uuid));
  return [
    ...configuration.ipfixRows.flatMap((row) => checkOwner(row, isDaemonRunning)),
    ...unused.map(({ uuid }) =>
      finding(
        'note',
        'row-unused',
        `IPFIX row ${uuid}`,
        'No bridge that there is uses it, so nothing is exported for it.',
        `Give it to a bridge with "ovs-vsctl set Bridge BRIDGE ipfix=${uuid}", or delete it with "ovs-vsctl destroy IPFIX ${uuid}".`,
      ),
    ),
    ...[...configuration.bridges.values()].flatMap(checkDoubleExport),
    ...checkDomains([...configuration.bridges.values()]),
  ];
}

function checkOwner({ row, bridges, hasUsableTarget }: UsedIpfixRow, isDaemonRunning: boolean): Finding[] {
  if (bridges.length === 0 || !hasUsableTarget) {
    return [];
  }
  const where = `IPFIX row ${row.uuid} of ${bridges.map((name) => `bridge ${name}`).join(', ')}`;
  if (isOurs(row) && !isDaemonRunning) {
    const isAdopted = row.externalIds.get(STATE_KEY) === 'adopted';
    return [
      finding(
        'error',
        'held-without-daemon',
        where,
        'Its targets are held for ovs-ipfix, and no daemon runs: nobody exports.',
        isAdopted
          ? 'Start the daemon, or give the row back to ovs-vswitchd with "ovs-ipfix release".'
          : 'Start the daemon; the row is for it alone.',
      ),
    ];
  }
  if (!isOurs(row) && isDaemonRunning) {
    return [
      finding(
        'note',
        'row-of-vswitchd',
        where,
        'ovs-vswitchd exports for it, without the flow cache of ovs-ipfix.',
        'That is as --adopt says; with --adopt=all, or --adopt=marked and external_ids:ovs-ipfix=adopt, ovs-ipfix takes it over.',
      ),
    ];
  }
  return [];
}

/** Packets of a flow with a `sample` action count for the bridge as well. */
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

/** Sequence numbers count for each domain and connection; a collector that goes by the domain alone sees gaps. */
function checkDomains(bridges: readonly BridgeConfig[]): Finding[] {
  const users = new Map<string, string[]>();
  for (const { name, sampling } of bridges) {
    for (const target of sampling?.isOurs === true ? sampling.exporter.targets : []) {
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

/** The targets of all rows that are in use, by text. */
export function targetsInUse({ configuration }: DatabaseLook): readonly string[] {
  return [
    ...new Set(
      configuration.ipfixRows
        .filter(({ bridges }) => bridges.length > 0)
        .flatMap(({ row }) =>
          isOurs(row) && row.targets.length === 0 ? (row.heldTargets ?? []) : row.targets,
        ),
    ),
  ];
}
