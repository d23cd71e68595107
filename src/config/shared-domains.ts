// Collectors that get records of one observation domain from ovs-ipfix and from ovs-vswitchd. Templates belong to a domain of
// an exporter (RFC 7011, section 8), and a collector such as nfcapd identifies an exporter by its host: the templates of each
// process replace those of the other, and records are misread or lost. Domains of `sample` actions are not known here.

import type { Condition } from './condition.ts';
import type { UsedIpfixRow } from './configuration.ts';

/** Returns the conditions; `isExportedByUs` tells for which rows the daemon exports or will export. */
export function sharedDomainConditions(
  rows: readonly UsedIpfixRow[],
  isExportedByUs: (used: UsedIpfixRow) => boolean,
): readonly Condition[] {
  const whole = rows.filter(({ wholeBridges }) => wholeBridges.length > 0);
  const others = whole.filter((used) => !isExportedByUs(used) && used.row.targets.length > 0);
  return whole.filter(isExportedByUs).flatMap((ours) => {
    const { row, wholeBridges } = ours;
    return others.flatMap((other) => {
      const theirs = new Set(other.targets.map(({ text }) => text));
      const shared = ours.targets.filter(({ text }) => theirs.has(text)).map(({ text }) => text);
      return shared.length === 0 || row.observationDomainId !== other.row.observationDomainId
        ? []
        : [
            {
              code: 'domain-shared-with-vswitchd',
              severity: 'warning',
              where: `IPFIX row ${row.uuid} (bridge ${wholeBridges.join(', ')}), column obs_domain_id`,
              ipfixRow: row.uuid,
              message:
                `${shared.join(', ')} gets observation domain ${row.observationDomainId} from ovs-vswitchd as well, ` +
                `for bridge ${other.wholeBridges.join(', ')}: a collector that identifies exporters by host mixes up ` +
                'their templates, and nfcapd misreads or drops records.',
              action: `Give the bridges different domains, as in "ovs-vsctl set IPFIX ${row.uuid} obs_domain_id=ID".`,
            } as const,
          ];
    });
  });
}
