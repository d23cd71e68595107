// What to do about a collector that does not get its records, by its last error (docs/conditions.md, "Collectors").

const ACTIONS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'Start the collector, or correct the port in the targets of the row.'],
  ['ENOTFOUND', "Correct the name in the row's targets, or the name service."],
  ['EAI_AGAIN', 'Check the name servers of this host.'],
  ['ENETUNREACH', 'Check the routes of this host.'],
  ['EHOSTUNREACH', "Check the collector's host and the routes to it."],
  [
    'EMSGSIZE',
    'Lower external_ids:ovs-ipfix-message-bytes-max of the row, or --message-bytes-max of the daemon.',
  ],
  [
    'already wait to be sent',
    'Lower the rate of records, as by a longer cache_active_timeout: this host or its network is too slow.',
  ],
]);

/** Returns the action for a last error. */
export function collectorAction(lastError = ''): string {
  const known = [...ACTIONS].find(([code]) => lastError.includes(code));
  return known?.[1] ?? 'See that the collector runs and can be reached.';
}
