// The keys that we read and write in `external_ids` of OVSDB rows, and the text that they hold.

/** Holds the collectors of a row that is ours, while `targets` is empty so that vswitchd leaves the row alone. */
export const HELD_TARGETS_KEY = 'ovs-ipfix-targets';
/** Tells whose the row is: "adopted" when its targets go back to vswitchd as we leave. Absent from native rows. */
export const STATE_KEY = 'ovs-ipfix-state';
/** The row's conditions, one sentence each; absent when there are none. */
export const PROBLEM_KEY = 'ovs-ipfix-problem';
/** Set to "adopt" by an operator to mark a row for `--adopt=marked`. */
export const ADOPT_MARK_KEY = 'ovs-ipfix';
/** In `Bridge.external_ids`: the most packet-ins a second that the meter of the bridge lets pass. */
export const MAX_RATE_KEY = 'ovs-ipfix-max-rate';

/** The keys that only the daemon writes in an IPFIX row; `release` takes them away. */
export const OWN_IPFIX_KEYS: readonly string[] = [HELD_TARGETS_KEY, STATE_KEY, PROBLEM_KEY];

/** Keys with our prefix that mean something in an IPFIX row. */
export const KNOWN_IPFIX_KEYS: ReadonlySet<string> = new Set([...OWN_IPFIX_KEYS, ADOPT_MARK_KEY]);

/** Keys with our prefix that mean something in a Bridge row. */
export const KNOWN_BRIDGE_KEYS: ReadonlySet<string> = new Set([MAX_RATE_KEY]);

/**
 * The text for `ovs-ipfix-targets`: targets separated by spaces, or a JSON array where one of them (a mistake of its
 * writer that must come back as it was) holds a separator.
 */
export function formatHeldTargets(targets: readonly string[]): string {
  const plain = targets.every((target) => target !== '' && !/[\s,"]/u.test(target));
  return plain ? targets.join(' ') : JSON.stringify(targets);
}

/** The targets in `ovs-ipfix-targets`: separated by spaces or commas when a person wrote them. */
export function parseHeldTargets(text: string): readonly string[] {
  if (text.startsWith('["')) {
    const parsed = parseJson(text);
    if (Array.isArray(parsed) && parsed.every((item) => typeof item === 'string')) {
      return parsed;
    }
  }
  return text.split(/[\s,]+/u).filter((target) => target !== '');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON after all: an operator's list that happens to begin like it, which the caller splits.
    return undefined;
  }
}
