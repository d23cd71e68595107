// Losses that go on: what was lost in the last minutes, and what to do about it. A loss that was compensated is none, and one that
// is over needs nothing.

import { collectorAction } from '../../report/collector-actions.ts';
import { listExporters } from '../../report/exporter-list.ts';
import type { RecentMeterLoss } from '../../report/recent-losses.ts';
import type { StatusDocument } from '../../report/status-document.ts';
import { counted } from '../../runtime/counted.ts';
import { type Finding, finding } from './finding.ts';

/** What is checked of a status. */
export type StatusWithLosses = Pick<StatusDocument, 'bridges'> &
  // A daemon of an older version has none.
  Partial<Pick<StatusDocument, 'recentLosses'>>;

/** Returns the findings about the last minutes. */
export function checkLosses(status: StatusWithLosses): Finding[] {
  const { recentLosses } = status;
  if (recentLosses === undefined) {
    return [];
  }
  const minutes = `in the last ${Math.max(1, Math.ceil(recentLosses.seconds / 60))} min`;
  return [
    ...recentLosses.collectors.map(({ exporter, target, records }) => {
      const lastError = lastErrorOf(status, exporter, target);
      return finding(
        'warning',
        'records-lost',
        `Collector ${target} of ${exporter}`,
        `${counted(records, 'record')} could not be sent ${minutes}${lastError === undefined ? '' : `; last: ${lastError}`}.`,
        collectorAction(lastError),
      );
    }),
    ...recentLosses.meters
      .filter(({ writtenOff }) => writtenOff >= 1)
      .map((loss) =>
        finding(
          'warning',
          'packets-missing',
          `Bridge ${loss.bridge}, meter of the ${loss.meter}`,
          `${counted(loss.writtenOff, 'packet is', 'packets are')} missing in records ${minutes}: the meter dropped ${loss.droppedByMeter}, ${loss.lost} were lost after it, and too few others arrived to represent them.`,
          meterAction(loss),
        ),
      ),
  ];
}

function lastErrorOf({ bridges }: StatusWithLosses, label: string, target: string): string | undefined {
  const exporter = listExporters({ bridges }).find((each) => each.label === label)?.exporter;
  return exporter?.collectors.find((each) => each.target === target)?.lastError;
}

/** The meter bounds the load of the daemon and of ovs-vswitchd: more packet-ins help only where they are not lost on their way. */
function meterAction({ bridge, droppedByMeter, lost }: RecentMeterLoss): string {
  const datapath = `let the datapath sample with "ovs-vsctl set Bridge ${bridge} external_ids:ovs-ipfix-sampler=datapath"`;
  return droppedByMeter >= lost
    ? `Raise external_ids:ovs-ipfix-max-rate of the bridge if the host has spare CPU time, or ${datapath}.`
    : `This host is too slow for its packet-ins: lower external_ids:ovs-ipfix-max-rate of the bridge, or ${datapath}.`;
}
