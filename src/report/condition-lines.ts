// A condition or a finding as lines of a terminal: code and place, message, action.

import { foldText } from './text-table.ts';

/** The fields that a condition and a finding of the doctor have in common. */
export interface ReportedItem {
  readonly code: string;
  readonly severity: string;
  readonly where: string;
  readonly message: string;
  readonly action: string;
}

/** Returns the lines; `paint` colours those with code and place. */
export function conditionLines(
  { code, severity, where, message, action }: ReportedItem,
  paint: (line: string) => string = (line) => line,
): readonly string[] {
  return [
    ...foldText(`${severity} ${code}: ${where}`).map(paint),
    ...foldText(`  ${message}`, ''),
    ...foldText(`  ${action}`, ''),
  ];
}

/** Returns the line about conditions that are not listed; none if there are none, or in a document of an earlier version. */
export function omittedLines(count: number | undefined): readonly string[] {
  return count === undefined || count === 0 ? [] : [`${count} more conditions`];
}
