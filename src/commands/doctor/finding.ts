// What the doctor can find. docs/doctor.md explains each code.

/** The closed list of the doctor's own findings; beside them it gives the conditions of docs/conditions.md. */
export const FINDING_CODES = [
  'database-unreachable',
  'database-forbidden',
  'vswitchd-away',
  'vswitchd-behind',
  'row-unused',
  'row-of-vswitchd',
  'held-without-daemon',
  'double-export',
  'domain-shared',
  'mark-in-use',
  'bridge-without-meters',
  'bridge-meter-taken',
  'hook-place-taken',
  'left-in-bridge',
  'collector-refuses',
  'collector-unknown',
  'daemon-away',
  'daemon-silent',
  'daemon-not-ready',
  'daemon-other-version',
  'daemons-several',
  'socket-left',
  'records-lost',
  'packets-missing',
  'clock-implausible',
  'clock-unsynchronised',
  'check-failed',
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** An `error` keeps flows from being exported; a `warning` makes the export worse; a `note` is good to know. */
export type Severity = 'error' | 'warning' | 'note';

/** One thing that was found. */
export interface Finding {
  /** A code of the list, or of a condition (docs/conditions.md). */
  readonly code: string;
  readonly severity: Severity;
  /** What is concerned. */
  readonly where: string;
  /** What is wrong, as a sentence. */
  readonly message: string;
  /** What to do, as a sentence, with the command where there is one. */
  readonly action: string;
}

/** A finding of the doctor's own. */
export function finding(
  severity: Severity,
  code: FindingCode,
  where: string,
  message: string,
  action: string,
): Finding {
  return { code, severity, where, message, action };
}
