// The switch's processes and the clock.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { OvsSettings } from '../../config/settings.ts';
import type { Clock } from '../../runtime/clock.ts';
import { dial, formatEndpoint } from '../../runtime/endpoint.ts';
import { clause, reasonOf } from '../../runtime/sentence.ts';
import type { DatabaseLook } from './database-look.ts';
import { type Finding, finding } from './finding.ts';

const DIAL_MS_MAX = 2000;
/** When this was written, in seconds since 1970; an earlier clock is wrong. */
const CLOCK_SECONDS_MIN = 1_764_000_000;
/** There when systemd runs; without it nothing is known of the clock. */
const SYSTEMD = 'run/systemd/system';
/** What says that somebody looks after the clock: systemd-timesyncd, once it is right, and chrony. */
const SYNCHRONISED = ['run/systemd/timesync/synchronized', 'run/chrony/chronyd.pid'];

/** Whether ovs-vswitchd runs and takes changes in. */
export async function checkSwitch(
  look: DatabaseLook,
  settings: OvsSettings,
  clock: Clock,
): Promise<Finding[]> {
  const names = [...look.configuration.bridges.keys()];
  const results = await Promise.all(names.map((name) => refusalOf(name, settings, clock)));
  const away = results.flatMap((result) => (result === undefined ? [] : [result]));
  const version = look.ovsVersion === undefined ? 'ovs-vswitchd' : `ovs-vswitchd ${look.ovsVersion}`;
  const findings: Finding[] = away.map(({ name, endpoint, reason }) =>
    finding(
      'error',
      'vswitchd-away',
      `Bridge ${name}`,
      `Its OpenFlow socket ${endpoint} cannot be reached: ${reason}.`,
      'Start it with "systemctl start openvswitch-switch", or say with OVS_RUNDIR or --openflow where its sockets are.',
    ),
  );
  if (!look.isUpToDate) {
    findings.push(
      finding(
        'warning',
        'vswitchd-behind',
        version,
        'It has not taken in the newest change of the database (cur_cfg is below next_cfg).',
        'See whether it runs, and what its log says: "ovs-appctl -t ovs-vswitchd version".',
      ),
    );
  }
  return findings;
}

async function refusalOf(name: string, settings: OvsSettings, clock: Clock) {
  const endpoint = settings.openflow(name);
  try {
    const tls = settings.tls === undefined ? {} : { tls: settings.tls };
    const stream = await dial(endpoint, { clock, timeoutMs: DIAL_MS_MAX, ...tls });
    stream.destroy();
    return undefined;
  } catch (error) {
    return { name, endpoint: formatEndpoint(endpoint), reason: clause(reasonOf(error)) };
  }
}

/** Collectors place flows by the export time. `root` is where the host's files are. */
export function checkClock(clock: Clock, root = '/'): Finding[] {
  const seconds = clock.wallMicros() / 1_000_000;
  const now = new Date(seconds * 1000).toISOString();
  if (seconds < CLOCK_SECONDS_MIN) {
    const message = `It says ${now}, so all flows are exported with a wrong time.`;
    return [
      finding(
        'error',
        'clock-implausible',
        'System clock',
        message,
        'Set it, for example with "timedatectl set-ntp true".',
      ),
    ];
  }
  const has = (file: string) => existsSync(join(root, file));
  if (has(SYSTEMD) && !SYNCHRONISED.some((file) => has(file))) {
    const message = `It says ${now}, and neither systemd-timesyncd nor chrony has said that this is right.`;
    return [
      finding(
        'note',
        'clock-unsynchronised',
        'System clock',
        message,
        'See "timedatectl"; flows are placed by this clock.',
      ),
    ];
  }
  return [];
}
