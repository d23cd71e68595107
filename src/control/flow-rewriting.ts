// How the translation of a flow is sent: strict modifications, many between two barriers, and what the switch says about them.

import {
  flowMod,
  formatMatch,
  type Instruction,
  type MatchField,
  matchKey,
  OpenFlowEncodeError,
  type OpenFlowMessage,
  type OpenFlowRequestError,
} from '../node-openflow/index.ts';

/** A flow as the monitor or a dump shows it. */
export interface ObservedFlow {
  readonly tableId: number;
  readonly priority: number;
  readonly hardTimeout: number;
  readonly match: readonly MatchField[];
  readonly instructions: readonly Instruction[];
}

/** Sends messages and a barrier; the errors have the index of the message that they are about. */
export type Transact = (messages: readonly OpenFlowMessage[]) => Promise<readonly OpenFlowRequestError[]>;

/** A flow and the instructions that are sent for it. */
export interface Rewriting {
  readonly key: string;
  readonly flow: ObservedFlow;
  readonly instructions: readonly Instruction[];
}

/** Sends a batch; returns the refusals by flow. A refused flow does not delay the others. */
export async function sendRewritings(
  batch: readonly Rewriting[],
  transact: Transact,
): Promise<ReadonlyMap<string, string>> {
  try {
    const errors = await transact(batch.map(({ flow, instructions }) => rewriting(flow, instructions)));
    return new Map(errors.map((error) => [batch[error.index]?.key ?? '', error.message]));
  } catch (error) {
    // Such as a flow whose actions with ours are larger than a message.
    if (!(error instanceof OpenFlowEncodeError)) {
      throw error;
    }
    const [only, ...others] = batch;
    if (only !== undefined && others.length === 0) {
      return new Map([[only.key, error.message]]);
    }
    const middle = batch.length >> 1;
    const first = await sendRewritings(batch.slice(0, middle), transact);
    return new Map([...first, ...(await sendRewritings(batch.slice(middle), transact))]);
  }
}

/** A strict modification changes the actions alone: counters, cookie, timeouts and flags stay. It never adds a flow. */
function rewriting(flow: ObservedFlow, instructions: readonly Instruction[]): OpenFlowMessage {
  const { tableId, priority, match } = flow;
  return {
    type: 'flow_mod',
    ...flowMod({ command: 'modify_strict', tableId, priority, match, instructions }),
  };
}

/** The identity of a flow in a bridge, as a key. */
export function keyOf(flow: Pick<ObservedFlow, 'tableId' | 'priority' | 'match'>): string {
  return `table=${flow.tableId},priority=${flow.priority},${matchKey(flow.match)}`;
}

/** The flow as ovs-ofctl takes it: "table=0,priority=100,in_port=1". */
export function formatFlow({ tableId, priority, match }: ObservedFlow): string {
  const fields = match.length === 0 ? [] : [formatMatch(match)];
  return [`table=${tableId}`, `priority=${priority}`, ...fields].join(',');
}
