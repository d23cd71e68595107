// Conditions: states of the configuration or of Open vSwitch that an operator should know about and can correct. A condition
// is a plain value, made where the fault is found, and shown by status, log and the row's `external_ids:ovs-ipfix-problem`.

import { safeText } from '../runtime/safe-text.ts';

/** The closed list of conditions; docs/conditions.md explains each. */
export const CONDITION_CODES = [
  'bad-value',
  'bad-target',
  'duplicate-target',
  'file-targets-off',
  'no-usable-target',
  'source-address-family',
  'source-address-unavailable',
  'collector-tls-fault',
  'too-many-targets',
  'target-needs-daemon',
  'tls-files-unknown',
  'too-many-bridges',
  'too-many-collector-sets',
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
  'packets-segmented',
  'bridge-unreachable',
  'datapath-unreachable',
  'no-own-rows',
  'database-is-relay',
  'database-unwritable',
] as const;

export type ConditionCode = (typeof CONDITION_CODES)[number];

export interface Condition {
  readonly code: ConditionCode;
  /** `error`: something is not exported; `warning`: the export goes on. */
  readonly severity: 'error' | 'warning';
  /** The object, as an operator names it: "IPFIX row 1b2c… of bridge br0, column targets". */
  readonly where: string;
  /** The IPFIX row that gets the condition in its `external_ids`; undefined when it is about no row. */
  readonly ipfixRow?: string;
  /** What is wrong, as a sentence without the place. */
  readonly message: string;
  /** What to do, as a sentence, with the command if there is one. */
  readonly action: string;
}

/** Longest text of a condition, in characters: it may quote a value of any length. */
export const CONDITION_CHARACTERS_MAX = 1000;

/** Returns the condition with what it quotes of rows made safe to show, and cut off at the limit. */
export function shownCondition(condition: Condition): Condition {
  const { where, message, action } = condition;
  return { ...condition, where: shown(where), message: shown(message), action: shown(action) };
}

function shown(text: string): string {
  const isLong = text.length > CONDITION_CHARACTERS_MAX;
  return safeText(isLong ? `${text.slice(0, CONDITION_CHARACTERS_MAX)}...` : text);
}

/** Returns the condition as one line for a log or a column. */
export function describeCondition(condition: Condition): string {
  return `${condition.where}: ${condition.message} ${condition.action} (${condition.code})`;
}
