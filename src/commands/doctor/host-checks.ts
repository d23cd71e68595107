// Whether the system clock is right.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { type Finding, finding } from './finding.ts';

/** When this was written, in seconds since 1970; an earlier clock is wrong. */
const CLOCK_SECONDS_MIN = 1_764_000_000;
/** Exists when systemd runs; without it nothing is known about the clock. */
const SYSTEMD = 'run/systemd/system';
/** Exist when the clock is synchronised: by systemd-timesyncd, once it is right, or by chrony. */
const SYNCHRONISED = ['run/systemd/timesync/synchronized', 'run/chrony/chronyd.pid'];

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
