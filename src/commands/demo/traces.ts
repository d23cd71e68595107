// The state of a switch that a daemon may leave behind, as text: equal before its start and after its end if nothing is left.

import type { PrivateOvs } from './private-ovs.ts';
import type { CommandLine } from './programs.ts';
import { BRIDGE } from './traffic.ts';

const LOOKS: readonly (readonly [what: string, command: CommandLine])[] = [
  ['the IPFIX row', ['ovs-vsctl', 'list', 'IPFIX']],
  ['the flows of the bridge', ['ovs-ofctl', '--no-stats', 'dump-flows', BRIDGE]],
  ['the meters of the bridge', ['ovs-ofctl', '-O', 'OpenFlow13', 'dump-meters', BRIDGE]],
];

/** The state by name, as text. */
export type Traces = ReadonlyMap<string, string>;

/** Reads the row, the flows and the meters. */
export async function lookForTraces(ovs: PrivateOvs): Promise<Traces> {
  const traces = new Map<string, string>();
  for (const [what, command] of LOOKS) {
    traces.set(what, withoutTransactionId(await ovs.run(command)));
  }
  return traces;
}

/** Returns a sentence for each difference. */
export function differences(before: Traces, after: Traces): string[] {
  return [...before]
    .filter(([what, text]) => after.get(what) !== text)
    .map(
      ([what, text]) =>
        `The daemon has not left ${what} as it was.\nBefore:\n${text}After:\n${after.get(what)}`,
    );
}

/** Replies of ovs-ofctl begin with the number of their request. */
function withoutTransactionId(text: string): string {
  return text.replaceAll(/ ?\(xid=0x[0-9a-f]+\)/g, '');
}
