// `ovs-ipfix doctor --before-start`: what a start of the daemon would change, and what it would cost. It plans with the daemon's
// own rules, reads the database and the bridges, and sends nothing to collectors.

import type { BridgeConfig, BridgeSampling, FlowSampling } from '../../config/configuration.ts';
import { isOurs } from '../../config/ipfix-row.ts';
import type { UsedIpfixRow } from '../../config/used-row.ts';
import { HOOK_TABLE } from '../../control/hook.ts';
import { HOOK_METER_ID, SAMPLE_METER_ID } from '../../control/meter.ts';
import { type AdoptPolicy, planOwnership } from '../../control/ownership.ts';
import { isToBeRedirected } from '../../control/set-choice.ts';
import { sampledSets } from '../../control/translation.ts';
import type { ExporterOptions } from '../../export/exporter-options.ts';
import { counted } from '../../runtime/counted.ts';
import { isExported, needsPacketIns } from './bridge-checks.ts';
import type { BridgeFacts } from './bridge-facts.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { type Finding, finding } from './finding.ts';

/** Collector sets of a bridge that are named. */
const IDS_MAX = 10;

/** Returns what would become of the rows, and what their collectors would get. */
export function foreseeRows({ configuration }: DatabaseFacts, policy: AdoptPolicy): Finding[] {
  const plan = planOwnership(configuration, { policy, samplability: () => 'sampled' }, []);
  const taken = new Set(plan.filter(({ kind }) => kind === 'adopt').map(({ row }) => row.uuid));
  const used = configuration.ipfixRows.filter(
    ({ bridges, hasUsableTarget }) => bridges.length > 0 && hasUsableTarget,
  );
  if (used.length === 0) {
    return [
      finding(
        'note',
        'start-idle',
        'ovs-ipfix',
        'No bridge and no collector set has an IPFIX row with a usable target: the daemon would export nothing.',
        'Create a row as for the exporter of ovs-vswitchd: docs/configuration.md, or ovs-vswitchd.conf.db(5).',
      ),
    ];
  }
  return used.flatMap((row) => {
    if (taken.has(row.row.uuid)) {
      return [takesOver(row), changesRecords(row, exportersOf(row, [...configuration.bridges.values()]))];
    }
    return isOurs(row.row) ? [] : [leaves(row)];
  });
}

/** Returns what the daemon would add to a bridge. */
export function foreseeBridge(facts: BridgeFacts, config: BridgeConfig): Finding[] {
  if (!isExported(config)) {
    return [];
  }
  const parts = [
    ...(config.sampling === undefined ? [] : costsOfHook(facts, config, config.sampling)),
    ...costsOfSets(facts, config),
  ];
  const flows = [config.sampling, ...config.flowSampling.values()].reduce(
    (sum, sampling) => sum + (sampling?.exporter.flowsMax ?? 0),
    0,
  );
  return [
    finding(
      'note',
      'start-costs',
      `Bridge ${config.name}`,
      `${parts.join(' ')} The caches of the daemon hold up to ${flows} flows. Packets that are sampled cannot be offloaded to hardware.`,
      `The rate is external_ids:ovs-ipfix-max-rate of the bridge; a stop removes all of it. docs/performance.md has measurements.`,
    ),
  ];
}

function takesOver(used: UsedIpfixRow): Finding {
  const { targets, cacheColumns } = used.row;
  const cache = cacheColumns === undefined ? '' : ' The columns of the cache stay as they are.';
  return finding(
    'note',
    'start-takes-over',
    whereOf(used),
    `ovs-vswitchd exports it to ${targets.join(', ')} now. The daemon would take this over: the column "targets" becomes empty, ` +
      `or has the daemon's socket, and external_ids:ovs-ipfix-targets has what it had, until the daemon stops.${cache}`,
    'Have configuration management leave "targets" alone, or write external_ids:ovs-ipfix-targets instead. To leave rows to ' +
      'ovs-vswitchd, start the daemon with --adopt=marked or none.',
  );
}

function leaves(used: UsedIpfixRow): Finding {
  return finding(
    'note',
    'start-leaves',
    whereOf(used),
    `The daemon would leave it to ovs-vswitchd, which exports it to ${used.row.targets.join(', ')}.`,
    '--adopt decides that, unless a condition of the row says why.',
  );
}

function changesRecords(used: UsedIpfixRow, exporters: readonly ExporterOptions[]): Finding {
  const formats = [...new Set(exporters.map(({ recordFormat }) => recordFormat))];
  const targets = used.targets.map(({ text }) => text);
  return finding(
    'note',
    'start-changes-records',
    `Collector ${targets.join(', ')}`,
    `For ${usersOf(used)} it would get messages of the daemon in place of those of ovs-vswitchd: from another source port, with ` +
      `templates and sequence numbers of their own, and records of the format ${formats.join(' and ')}. The observation domain stays.`,
    'docs/records.md has both formats, and docs/collectors.md the settings of collectors; external_ids:ovs-ipfix-record-format of the row chooses one.',
  );
}

function costsOfHook(facts: BridgeFacts, config: BridgeConfig, sampling: BridgeSampling): string[] {
  const rate = config.maxSampleRate;
  const how = needsPacketIns(facts, config)
    ? `the switch copies up to ${rate} packets/s to the daemon, which meter ${HOOK_METER_ID} bounds`
    : `the datapath takes samples, up to ${rate} a second, and the daemon adds a Flow_Sample_Collector_Set and an IPFIX row`;
  return [`1 in ${sampling.interval} packets: one flow in table ${HOOK_TABLE}, and ${how}.`];
}

function costsOfSets(facts: BridgeFacts, config: BridgeConfig): string[] {
  const sets = [...config.flowSampling.values()];
  const rewritten = sets.filter(
    ({ ownsRow }) =>
      isToBeRedirected({ policy: config.samplerPolicy, ...config, ...facts, ownsRow }) !== true,
  );
  const ids = new Set(rewritten.map(({ collectorSetId }) => collectorSetId));
  const flows = facts.flows.filter(({ instructions }) =>
    instructions.some((each) => 'actions' in each && sampledSets(each.actions).some((id) => ids.has(id))),
  );
  const redirected = sets.filter((set) => !rewritten.includes(set));
  return [
    ...(rewritten.length === 0
      ? []
      : [
          `Collector set ${idsOf(rewritten)}: one more action behind each sample action in ${counted(flows.length, 'flow')}, and meter ` +
            `${SAMPLE_METER_ID} for up to ${config.maxSampleRate} packets/s.`,
        ]),
    ...(redirected.length === 0
      ? []
      : [`Collector set ${idsOf(redirected)}: ovs-vswitchd sends the samples to the daemon.`]),
  ];
}

/** Returns the first ids, and how many others there are. */
function idsOf(sets: readonly FlowSampling[]): string {
  const ids = sets.slice(0, IDS_MAX).map(({ collectorSetId }) => collectorSetId);
  return `${ids.join(', ')}${sets.length > IDS_MAX ? ` and ${sets.length - IDS_MAX} more` : ''}`;
}

/** Returns the exporters of the bridges and sets that use a row. */
function exportersOf({ row }: UsedIpfixRow, bridges: readonly BridgeConfig[]): readonly ExporterOptions[] {
  return bridges
    .flatMap(({ sampling, flowSampling }) => [sampling, ...flowSampling.values()])
    .filter((sampling) => sampling?.ipfixRow === row.uuid)
    .flatMap((sampling) => (sampling === undefined ? [] : [sampling.exporter]));
}

function whereOf(used: UsedIpfixRow): string {
  return `IPFIX row ${used.row.uuid} of ${usersOf(used)}`;
}

function usersOf({ bridges, wholeBridges }: UsedIpfixRow): string {
  return bridges
    .map((name) => (wholeBridges.includes(name) ? `bridge ${name}` : `collector sets of bridge ${name}`))
    .join(', ');
}
