// Whether ovs-vswitchd runs, answers and applies changes, and whether its bridges can be reached.

import { dirname, join } from 'node:path';
import type { OvsSettings } from '../../config/settings.ts';
import { bridgeUnreachable } from '../../control/unreachable.ts';
import type { Clock } from '../../runtime/clock.ts';
import { dial, formatEndpoint } from '../../runtime/endpoint.ts';
import { isForbidden } from '../../runtime/error-code.ts';
import { isPidFileLive, readPid } from '../../runtime/pid-file.ts';
import { clause, reasonOf } from '../../runtime/sentence.ts';
import { askUnixctl } from '../../unixctl/client.ts';
import { UnixctlError } from '../../unixctl/errors.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { type Finding, finding } from './finding.ts';

const DIAL_MS_MAX = 2000;
const ANSWER_MS_MAX = 2000;

/** Returns what is wrong with ovs-vswitchd as a whole before what is wrong with single bridges. */
export async function checkSwitch(
  facts: DatabaseFacts,
  settings: OvsSettings,
  clock: Clock,
): Promise<Finding[]> {
  const names = [...facts.configuration.bridges.keys()];
  const refusals = (await Promise.all(names.map((name) => refusalOf(name, settings, clock)))).filter(
    (refusal) => refusal !== undefined,
  );
  const version = facts.ovsVersion === undefined ? 'ovs-vswitchd' : `ovs-vswitchd ${facts.ovsVersion}`;
  if (names.length > 0 && refusals.length === names.length && !isPidFileLive(settings.switchPidFile)) {
    return [
      finding(
        'error',
        'vswitchd-away',
        version,
        `It does not run: no process has its pid file ${settings.switchPidFile}, and no bridge can be reached.`,
        'Start it with "systemctl start openvswitch-switch", and read its log; or name its folder with OVS_RUNDIR.',
      ),
    ];
  }
  if (await isSilent(settings, clock)) {
    return [
      finding(
        'error',
        'vswitchd-silent',
        version,
        `It runs, and does not answer within ${ANSWER_MS_MAX} ms: it is stopped or overloaded.`,
        'Read its log, and restart it with "systemctl restart openvswitch-switch".',
      ),
    ];
  }
  return [...refusals, ...(facts.isUpToDate ? [] : [behind(version)])];
}

function behind(version: string): Finding {
  return finding(
    'warning',
    'vswitchd-behind',
    version,
    'It has not applied the newest change of the database (cur_cfg is below next_cfg).',
    'Check that it runs and answers, with "ovs-appctl -t ovs-vswitchd version", and read its log.',
  );
}

async function refusalOf(name: string, settings: OvsSettings, clock: Clock): Promise<Finding | undefined> {
  const endpoint = settings.openflow(name);
  try {
    const tls = settings.tls === undefined ? {} : { tls: settings.tls };
    const stream = await dial(endpoint, { clock, timeoutMs: DIAL_MS_MAX, ...tls });
    stream.destroy();
    return undefined;
  } catch (error) {
    const reason = clause(reasonOf(error));
    return isForbidden(error)
      ? finding(
          'error',
          'bridge-forbidden',
          `Bridge ${name}`,
          `You may not connect to it: ${reason}.`,
          'Run this command as root, or as the user that the socket belongs to.',
        )
      : bridgeUnreachable(name, formatEndpoint(endpoint), reason);
  }
}

/** Whether the process of the pid file listens at its control socket and does not answer. */
async function isSilent({ switchPidFile }: OvsSettings, clock: Clock): Promise<boolean> {
  try {
    const pid = readPid(switchPidFile);
    if (pid !== undefined) {
      const path = join(dirname(switchPidFile), `ovs-vswitchd.${pid}.ctl`);
      await askUnixctl(path, 'version', [], { clock, timeoutMs: ANSWER_MS_MAX });
    }
    return false;
  } catch (error) {
    // Any other failure, as without access rights, says nothing about it.
    return error instanceof UnixctlError && error.code === 'UNIXCTL_TIMEOUT';
  }
}
