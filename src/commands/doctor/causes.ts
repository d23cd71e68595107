// Findings by cause: what follows from an ovs-vswitchd or a database that is away is left out, and counted in the finding about it;
// and the daemon is not reported as not ready for what another finding says.

import { counted } from '../../runtime/counted.ts';
import type { Finding } from './finding.ts';

/** Codes of what follows from an ovs-vswitchd that does not run or does not answer. */
const OF_SWITCH: ReadonlySet<string> = new Set([
  'bridge-unreachable',
  'datapath-unreachable',
  'hook-refused',
  'no-own-rows',
  'row-not-adopted',
  'vswitchd-behind',
]);

/** Returns the findings with causes first and without their consequences. */
export function byCause(findings: readonly Finding[]): Finding[] {
  const isSwitchGone = findings.some(isOfSwitch);
  const isDatabaseGone = findings.some(isOfDatabase);
  const places = findings
    .filter(({ code, severity }) => severity === 'error' && code !== 'daemon-not-ready')
    .map(({ where }) => where);
  const follows = ({ code, where, message }: Finding) => {
    if (code !== 'daemon-not-ready') {
      return (
        isSwitchGone && (OF_SWITCH.has(code) || (code === 'check-failed' && where.startsWith('bridge ')))
      );
    }
    return (
      (isSwitchGone && message.startsWith('Bridge ')) ||
      (isDatabaseGone && message.includes('OVSDB is not in sync')) ||
      places.some((place) => message.startsWith(`${place} `) || message.startsWith(`${place}:`))
    );
  };
  const isCause = (each: Finding) => isOfSwitch(each) || isOfDatabase(each);
  const left = findings.filter((each) => !follows(each));
  const count = findings.length - left.length;
  return left
    .map((each) => (isCause(each) && count > 0 ? withCount(each, count) : each))
    .toSorted((a, b) => Number(isCause(b)) - Number(isCause(a)));
}

/** Whether ovs-vswitchd is away. */
function isOfSwitch({ code }: Finding): boolean {
  return code === 'vswitchd-away' || code === 'vswitchd-silent';
}

/** Whether the database is away. */
function isOfDatabase({ code }: Finding): boolean {
  return code.startsWith('database-');
}

function withCount(cause: Finding, count: number): Finding {
  return {
    ...cause,
    message: `${cause.message} ${counted(count, 'finding that follows from it is', 'findings that follow from it are')} left out.`,
  };
}
