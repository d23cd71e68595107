// Finds flows whose match on a VLAN tag OpenFlow 1.3 and later show as another one. They have a VLAN id and a priority; OpenFlow 1.0
// matches any bits of the tag, and Open vSwitch leaves those of the priority out where the id is 0: `dl_vlan=0xffff` and `vlan_tci=0`
// look like `vlan_tci=0/0x1fff`. A modification has the match that is shown, so that it would not modify such a flow, and might
// modify another. Nicira's field for the tag selects by any of its bits over each version: so it shows which flows these are.

import {
  fieldValue,
  findField,
  flowStatsRequest,
  type MatchField,
  matchField,
} from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { keyOf, type Rewriting, type RewritingOutcome } from './flow-rewriting.ts';

/** The bits of the priority in a tag (IEEE 802.1Q, section 9.6). */
const PRIORITY_BITS = [0x2000, 0x4000, 0x8000] as const;
/** Milliseconds for which an answer is used: a batch takes some of them. */
const ANSWER_MS_MAX = 1000;

const REASON =
  'OpenFlow 1.0 has written its match on the VLAN tag, and later versions cannot express it; ' +
  'match vlan_tci=0x0000/0x1fff in place of vlan_tci=0 or dl_vlan=0xffff';

export class HiddenTags {
  readonly #openflow: BridgeConnection['openflow'];
  readonly #clock: Clock;
  #keys: ReadonlySet<string> = new Set();
  #readMicros = Number.NEGATIVE_INFINITY;

  constructor(openflow: BridgeConnection['openflow'], clock: Clock) {
    this.#openflow = openflow;
    this.#clock = clock;
  }

  /** Writes the flows of a batch that are shown as they are, and refuses the others. */
  async guard(
    batch: readonly Rewriting[],
    write: (batch: readonly Rewriting[]) => Promise<RewritingOutcome>,
  ): Promise<RewritingOutcome> {
    if (!batch.some(({ flow }) => isDoubtful(flow.match))) {
      return write(batch);
    }
    const keys = await this.#read();
    const refused = batch.filter(({ key }) => keys.has(key));
    const outcome = await write(refused.length === 0 ? batch : batch.filter(({ key }) => !keys.has(key)));
    return refused.length === 0
      ? outcome
      : {
          ...outcome,
          refusals: new Map([...outcome.refusals, ...refused.map(({ key }) => [key, REASON] as const)]),
        };
  }

  /** Returns the keys of the flows with such a match. */
  async #read(): Promise<ReadonlySet<string>> {
    const nowMicros = this.#clock.monotonicMicros();
    if (nowMicros - this.#readMicros < ANSWER_MS_MAX * 1000) {
      return this.#keys;
    }
    // Each flow that matches a bit is in one of its two replies.
    const selections = PRIORITY_BITS.flatMap((bit) =>
      [0, bit].map((value) => matchField('vlan_tci', value, bit)),
    );
    const replies = await this.#openflow.together(() =>
      Promise.all(
        selections.map((field) =>
          this.#openflow.request({ type: 'flow_stats_request', ...flowStatsRequest({ match: [field] }) }),
        ),
      ),
    );
    const bits = new Map<string, number>();
    const hidden = new Set<string>();
    for (const flow of replies.flatMap(({ entries }) => entries)) {
      const key = keyOf(flow);
      bits.set(key, (bits.get(key) ?? 0) + 1);
      if (findField(flow.match, 'vlan_pcp') === undefined) {
        hidden.add(key);
      }
    }
    // A priority that is shown is one of all its bits.
    for (const [key, count] of bits) {
      if (count !== PRIORITY_BITS.length) {
        hidden.add(key);
      }
    }
    this.#keys = hidden;
    this.#readMicros = nowMicros;
    return hidden;
  }
}

/** Whether a match may be shown as another one: it has no id of a tag, or a priority. */
function isDoubtful(match: readonly MatchField[]): boolean {
  const id = findField(match, 'vlan_vid');
  return (id !== undefined && fieldValue(id) === 0n) || findField(match, 'vlan_pcp') !== undefined;
}
