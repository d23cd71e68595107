// The doctor's findings; docs/doctor.md explains each code.

/** The closed list of the doctor's own findings; it also reports the conditions of docs/conditions.md. */
export const FINDING_CODES = [
  'database-unreachable',
  'database-forbidden',
  'vswitchd-away',
  'vswitchd-silent',
  'vswitchd-behind',
  'bridge-forbidden',
  'row-unused',
  'row-of-vswitchd',
  'held-without-daemon',
  'double-export',
  'domain-shared',
  'mark-in-use',
  'stale-state',
  'stale-own-rows',
  'collector-refuses',
  'collector-tls-refused',
  'collector-unknown',
  'daemon-away',
  'daemon-silent',
  'daemon-forbidden',
  'daemon-not-ready',
  'daemon-other-version',
  'daemons-several',
  'socket-left',
  'records-lost',
  'packets-missing',
  'receive-buffer-small',
  'clock-implausible',
  'clock-unsynchronised',
  'check-failed',
  'start-takes-over',
  'start-leaves',
  'start-changes-records',
  'start-costs',
  'start-idle',
  'start-stands-by',
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** `error`: flows are not exported; `warning`: the export is degraded; `note`: worth knowing. */
export type Severity = 'error' | 'warning' | 'note';

/** One finding. */
export interface Finding {
  /** A code of the list, or of a condition (docs/conditions.md). */
  readonly code: string;
  readonly severity: Severity;
  /** The object: a bridge, a row, a collector, a process. */
  readonly where: string;
  /** What is wrong, as a sentence. */
  readonly message: string;
  /** What to do, as a sentence, with the command where there is one. */
  readonly action: string;
}

/** Returns a finding of the doctor's own list. */
export function finding(
  severity: Severity,
  code: FindingCode,
  where: string,
  message: string,
  action: string,
): Finding {
  return { code, severity, where, message, action };
}
