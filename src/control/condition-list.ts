// The conditions as status lists them: a database in disorder may lead to any number of them.

import type { Condition } from '../config/condition.ts';

/** Conditions that status lists. */
export const CONDITIONS_LISTED_MAX = 1000;

/** The conditions of status. */
export interface ConditionList {
  /** At most `CONDITIONS_LISTED_MAX`; where there are more, errors come first. */
  readonly conditions: readonly Condition[];
  /** Conditions that are not listed. */
  readonly conditionsOmitted: number;
}

/** Returns the list of all conditions. */
export function listConditions(all: readonly Condition[]): ConditionList {
  if (all.length <= CONDITIONS_LISTED_MAX) {
    return { conditions: all, conditionsOmitted: 0 };
  }
  const isError = ({ severity }: Condition) => severity === 'error';
  const sorted = [...all.filter(isError), ...all.filter((condition) => !isError(condition))];
  return {
    conditions: sorted.slice(0, CONDITIONS_LISTED_MAX),
    conditionsOmitted: all.length - CONDITIONS_LISTED_MAX,
  };
}
