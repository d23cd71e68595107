// Collectors that get records of one observation domain from ovs-ipfix and from ovs-vswitchd. Templates belong to a domain of
// an exporter (RFC 7011, section 8), and a collector such as nfcapd identifies an exporter by its host: the templates of each
// process replace those of the other, and records are misread or lost. Domains of `sample` actions are not known here.

import type { Condition } from './condition.ts';
import type { UsedIpfixRow } from './used-row.ts';

/** Bridges of ovs-vswitchd that a condition names. */
const NAMED_MAX = 8;

/** Returns the conditions, at most one for a row; `isExportedByUs` tells for which rows the daemon exports or will export. */
export function sharedDomainConditions(
  rows: readonly UsedIpfixRow[],
  isExportedByUs: (used: UsedIpfixRow) => boolean,
): readonly Condition[] {
  const whole = rows.filter(({ wholeBridges }) => wholeBridges.length > 0);
  const theirs = new Map<string, UsedIpfixRow[]>();
  for (const other of whole.filter((used) => !isExportedByUs(used) && used.row.targets.length > 0)) {
    for (const key of domainKeys(other)) {
      const sharing = theirs.get(key) ?? [];
      sharing.push(other);
      theirs.set(key, sharing);
    }
  }
  return theirs.size === 0
    ? []
    : whole.filter(isExportedByUs).flatMap((ours) => sharedDomainCondition(ours, theirs) ?? []);
}

function sharedDomainCondition(
  ours: UsedIpfixRow,
  theirs: ReadonlyMap<string, readonly UsedIpfixRow[]>,
): Condition | undefined {
  const { row, wholeBridges, targets } = ours;
  const keys = domainKeys(ours);
  const shared = targets.filter((_, index) => theirs.has(keys[index] ?? '')).map(({ text }) => text);
  if (shared.length === 0) {
    return undefined;
  }
  const others = new Set<string>();
  for (const other of keys.flatMap((key) => theirs.get(key)?.slice(0, NAMED_MAX + 1) ?? [])) {
    others.add(other.wholeBridges.join(', '));
  }
  const named = [...others].slice(0, NAMED_MAX).join(', ');
  return {
    code: 'domain-shared-with-vswitchd',
    severity: 'warning',
    where: `IPFIX row ${row.uuid} (bridge ${wholeBridges.join(', ')}), column obs_domain_id`,
    ipfixRow: row.uuid,
    message:
      `${shared.join(', ')} gets observation domain ${row.observationDomainId} from ovs-vswitchd as well, ` +
      `for bridge ${named}${others.size > NAMED_MAX ? ' and others' : ''}: a collector that identifies exporters by host mixes up ` +
      'their templates, and nfcapd misreads or drops records.',
    action: `Give the bridges different domains, as in "ovs-vsctl set IPFIX ${row.uuid} obs_domain_id=ID".`,
  };
}

/** Returns a key for each target of a row: the same where the same collector gets the same domain. */
function domainKeys({ row, targets }: UsedIpfixRow): readonly string[] {
  return targets.map(({ text }) => `${row.observationDomainId} ${text}`);
}
