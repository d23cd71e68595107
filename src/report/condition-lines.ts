// Something that is wrong, as lines of a terminal: what and where, why, and what to do.

import { foldText } from './text-table.ts';

/** What a condition, and a finding of the doctor, have in common. */
export interface Complaint {
  readonly code: string;
  readonly severity: string;
  readonly where: string;
  readonly message: string;
  readonly action: string;
}

/** The lines; `paint` colours those that say what and where. */
export function conditionLines(
  { code, severity, where, message, action }: Complaint,
  paint: (line: string) => string = (line) => line,
): readonly string[] {
  return [
    ...foldText(`${severity} ${code}: ${where}`).map(paint),
    ...foldText(`  ${message}`, ''),
    ...foldText(`  ${action}`, ''),
  ];
}
