// A problem is something in the configuration or the surroundings that an operator has to know and can mend. It is a
// plain value: made where the fault is seen, shown by status, log and the row's `external_ids:ovs-ipfix-problem`.

/** The closed list of what can be wrong; docs/problems.md explains each. */
export const problemCodes = [
  'bad-value',
  'bad-target',
  'no-usable-target',
  'unknown-key',
  'caching-disabled',
  'no-cache-columns',
  'output-sampling-not-done',
  'input-sampling-disabled',
  'sampling-keys-inverted',
  'setting-not-supported',
  'domain-shared-with-vswitchd',
  'no-ipfix-row',
  'hard-timeout-restarts',
  'translation-refused',
  'change-overwritten',
  'sample-field-unresolved',
  'dangling-reference',
  'no-meters',
  'meter-in-use',
  'hook-slot-in-use',
  'flows-shown-in-part',
  'translation-in-progress',
  'fail-open',
  'row-not-adopted',
  'hook-refused',
  'bridge-unreachable',
  'database-is-relay',
] as const;

export type ProblemCode = (typeof problemCodes)[number];

export interface Problem {
  readonly code: ProblemCode;
  /** An `error` keeps something from being exported; with a `warning` export goes on. */
  readonly severity: 'error' | 'warning';
  /** What is concerned, as an operator names it: "IPFIX row 1b2c… of bridge br0, column targets". */
  readonly where: string;
  /** The IPFIX row that is to carry the problem in its `external_ids`, when it is about one. */
  readonly ipfixRow?: string;
  /** What is wrong, as a sentence without the place. */
  readonly message: string;
  /** What to do about it, as a sentence, with the command where there is one. */
  readonly remedy: string;
}

/** The problem as one line for a log or a column. */
export function describeProblem(problem: Problem): string {
  return `${problem.where}: ${problem.message} ${problem.remedy} (${problem.code})`;
}
