// Whether ovs-vswitchd answers and applies changes, and whether the system clock is right.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Condition } from '../../config/condition.ts';
import type { OvsSettings } from '../../config/settings.ts';
import { bridgeUnreachable } from '../../control/unreachable.ts';
import type { Clock } from '../../runtime/clock.ts';
import { dial, formatEndpoint } from '../../runtime/endpoint.ts';
import { clause, reasonOf } from '../../runtime/sentence.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { type Finding, finding } from './finding.ts';

const DIAL_MS_MAX = 2000;
/** When this was written, in seconds since 1970; an earlier clock is wrong. */
const CLOCK_SECONDS_MIN = 1_764_000_000;
/** Exists when systemd runs; without it nothing is known about the clock. */
const SYSTEMD = 'run/systemd/system';
/** Exist when the clock is synchronised: by systemd-timesyncd, once it is right, or by chrony. */
const SYNCHRONISED = ['run/systemd/timesync/synchronized', 'run/chrony/chronyd.pid'];

/** Returns the bridges that cannot be reached, and whether ovs-vswitchd applies changes. */
export async function checkSwitch(
  facts: DatabaseFacts,
  settings: OvsSettings,
  clock: Clock,
): Promise<Finding[]> {
  const names = [...facts.configuration.bridges.keys()];
  const results = await Promise.all(names.map((name) => refusalOf(name, settings, clock)));
  const findings: Finding[] = results.filter((result) => result !== undefined);
  if (!facts.isUpToDate) {
    const version = facts.ovsVersion === undefined ? 'ovs-vswitchd' : `ovs-vswitchd ${facts.ovsVersion}`;
    findings.push(
      finding(
        'warning',
        'vswitchd-behind',
        version,
        'It has not applied the newest change of the database (cur_cfg is below next_cfg).',
        'Check that it runs and answers, with "ovs-appctl -t ovs-vswitchd version", and read its log.',
      ),
    );
  }
  return findings;
}

async function refusalOf(name: string, settings: OvsSettings, clock: Clock): Promise<Condition | undefined> {
  const endpoint = settings.openflow(name);
  try {
    const tls = settings.tls === undefined ? {} : { tls: settings.tls };
    const stream = await dial(endpoint, { clock, timeoutMs: DIAL_MS_MAX, ...tls });
    stream.destroy();
    return undefined;
  } catch (error) {
    return bridgeUnreachable(name, formatEndpoint(endpoint), clause(reasonOf(error)));
  }
}

/** Checks the clock that export times come from. `root` is the root of the host's files. */
export function checkClock(clock: Clock, root = '/'): Finding[] {
  const seconds = clock.wallMicros() / 1_000_000;
  const now = new Date(seconds * 1000).toISOString();
  if (seconds < CLOCK_SECONDS_MIN) {
    const message = `It says ${now}, so all flows are exported with wrong times.`;
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
    const message = `It says ${now}, and neither systemd-timesyncd nor chrony has confirmed that.`;
    return [
      finding(
        'note',
        'clock-unsynchronised',
        'System clock',
        message,
        'See "timedatectl"; the times of flows come from this clock.',
      ),
    ];
  }
  return [];
}
