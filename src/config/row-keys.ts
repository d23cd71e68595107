// The keys of ovs-ipfix in `external_ids` of OVSDB rows, and the format of their values.

/** Holds the collectors of a managed row, while `targets` is empty so that ovs-vswitchd does not export for it. */
export const HELD_TARGETS_KEY = 'ovs-ipfix-targets';
/** A `RowState`, in a row whose targets are handed back to ovs-vswitchd when the daemon stops; absent from native rows. */
export const STATE_KEY = 'ovs-ipfix-state';
/** Hold the columns `cache_active_timeout` and `cache_max_flows` of a redirected row; absent where the column was unset. */
export const HELD_ACTIVE_TIMEOUT_KEY = 'ovs-ipfix-cache-active-timeout';
export const HELD_MAX_FLOWS_KEY = 'ovs-ipfix-cache-max-flows';
/** The daemon's socket that a redirected row has in `targets`: any other target is an edit of its user. */
export const REDIRECTED_TO_KEY = 'ovs-ipfix-redirected-to';
/** The row's conditions, one line each; absent when there are none. */
export const PROBLEM_KEY = 'ovs-ipfix-problem';
/** Set to "adopt" by an operator to mark a row for `--adopt=marked`. */
export const ADOPT_MARK_KEY = 'ovs-ipfix';
/** The format of the row's records, a `RecordFormat`; without it that of `--record-format`. */
export const RECORD_FORMAT_KEY = 'ovs-ipfix-record-format';
/** What records have or are accompanied by beyond their format: words of `ROW_OPTIONS`, separated by commas. */
export const OPTIONS_KEY = 'ovs-ipfix-options';
/** Seconds between templates where the column `template_interval` is unset or unknown to the database (before OVS 3.2). */
export const TEMPLATE_INTERVAL_KEY = 'ovs-ipfix-template-interval';
/** Names a folder of `--tls-dir` with the TLS files of the row's collectors; without it those of the process. */
export const TLS_NAME_KEY = 'ovs-ipfix-tls';
/** The address that the row's messages are sent from: one, or one of each family; without it that of `--source-address`. */
export const SOURCE_ADDRESS_KEY = 'ovs-ipfix-source-address';
/** The longest message of the row in bytes of UDP payload; without it that of `--message-bytes-max`. */
export const MESSAGE_BYTES_KEY = 'ovs-ipfix-message-bytes-max';
/** How records are given to several collectors: a `DeliveryMode`, and after `failover` the preferred targets. */
export const COLLECTORS_KEY = 'ovs-ipfix-collectors';
/** Seconds that a collector which has failed must have worked before it is used again. */
export const FAILBACK_KEY = 'ovs-ipfix-failback-seconds';
/** In `Bridge.external_ids`: the rate of each meter of the bridge, in packet-ins a second. */
export const MAX_RATE_KEY = 'ovs-ipfix-max-rate';
/** In `Bridge.external_ids`: the sampler, a `SamplerPolicy`. */
export const SAMPLER_KEY = 'ovs-ipfix-sampler';
/** In the daemon's own rows: the run of the daemon that they belong to. */
export const OWNER_KEY = 'ovs-ipfix-owner';

/**
 * Values of `ovs-ipfix-state`. adopted: `targets` is empty; redirected: `targets` is a socket of the daemon, to which
 * ovs-vswitchd sends the samples of a collector set; redirected-native: the same in a native row.
 */
export type RowState = 'adopted' | 'redirected' | 'redirected-native';

/** The keys that a redirected row has in addition to those of an adopted one. */
export const REDIRECT_KEYS: readonly string[] = [
  HELD_ACTIVE_TIMEOUT_KEY,
  HELD_MAX_FLOWS_KEY,
  REDIRECTED_TO_KEY,
];

/** The keys that only the daemon writes in an IPFIX row; `release` removes them. */
export const OWN_IPFIX_KEYS: readonly string[] = [HELD_TARGETS_KEY, STATE_KEY, PROBLEM_KEY, ...REDIRECT_KEYS];

/** The valid keys with the prefix `ovs-ipfix` in an IPFIX row. */
export const KNOWN_IPFIX_KEYS: ReadonlySet<string> = new Set([
  ...OWN_IPFIX_KEYS,
  ADOPT_MARK_KEY,
  RECORD_FORMAT_KEY,
  OPTIONS_KEY,
  TEMPLATE_INTERVAL_KEY,
  SOURCE_ADDRESS_KEY,
  TLS_NAME_KEY,
  MESSAGE_BYTES_KEY,
  COLLECTORS_KEY,
  FAILBACK_KEY,
]);

/** The valid keys with the prefix `ovs-ipfix` in a Bridge row. */
export const KNOWN_BRIDGE_KEYS: ReadonlySet<string> = new Set([MAX_RATE_KEY, SAMPLER_KEY]);

/**
 * Formats targets for `ovs-ipfix-targets`: separated by spaces, or as a JSON array when one of them contains a separator (a
 * mistake of its writer that must be restored unchanged).
 */
export function formatHeldTargets(targets: readonly string[]): string {
  const plain = targets.every((target) => target !== '' && !/[\s,"]/u.test(target));
  return plain ? targets.join(' ') : JSON.stringify(targets);
}

/** Parses `ovs-ipfix-targets`: separated by spaces or commas when a person wrote them. */
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
    // Not JSON: an operator's list that begins like it; the caller splits it.
    return undefined;
  }
}
