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
  /** The instructions that the switch should have until then: those of `flow`, or what has replaced another client's. */
  readonly replaces: readonly Instruction[];
}

/** What became of a batch. */
export interface RewritingOutcome {
  /** Why the switch refused a flow, by key; a refused flow does not delay the others. */
  readonly refusals: ReadonlyMap<string, string>;
  /** What each write has replaced, by key, where that was read; a flow that is not among them had been removed. */
  readonly replaced?: ReadonlyMap<string, ObservedFlow>;
  /** Nothing was written, since another client has modified one of the flows. */
  readonly isAbandoned?: boolean;
}

/** Writes a batch; `isOvertaken`: whether another client has modified a flow of the batch since it was made. */
export type WriteBatch = (
  batch: readonly Rewriting[],
  isOvertaken: () => boolean,
) => Promise<RewritingOutcome>;

/** How flows are written. */
export interface RunOptions {
  /** Flows in a batch. Default: that of `FlowTranslator`. */
  readonly batchMax?: number;
  /** Whether each batch is of one table, and its outcome shows what was replaced. */
  readonly isChecked?: boolean;
  /** Whether all flows have to be read again before one is written that is not to be restored. */
  readonly isOutdated?: () => boolean;
}

/** Sends a batch where a flow monitor shows what other clients do meanwhile. */
export async function sendRewritings(
  batch: readonly Rewriting[],
  transact: Transact,
): Promise<RewritingOutcome> {
  try {
    const errors = await transact(batch.map(rewritingMessage));
    return { refusals: refusalsOf(errors, batch) };
  } catch (error) {
    // Such as a flow that with its companion actions is larger than a message.
    if (!(error instanceof OpenFlowEncodeError)) {
      throw error;
    }
    const [only, ...others] = batch;
    if (only !== undefined && others.length === 0) {
      return { refusals: new Map([[only.key, error.message]]) };
    }
    const middle = batch.length >> 1;
    const first = await sendRewritings(batch.slice(0, middle), transact);
    const second = await sendRewritings(batch.slice(middle), transact);
    return { refusals: new Map([...first.refusals, ...second.refusals]) };
  }
}

/** Why flows were refused, by key. */
export function refusalsOf(
  errors: readonly OpenFlowRequestError[],
  batch: readonly Rewriting[],
): Map<string, string> {
  return new Map(errors.map((error) => [batch[error.index]?.key ?? '', error.message]));
}

/** A strict modification changes the actions alone: counters, cookie, timeouts and flags stay. It never adds a flow. */
export function rewritingMessage({ flow, instructions }: Rewriting): OpenFlowMessage {
  const { tableId, priority, match } = flow;
  return {
    type: 'flow_mod',
    ...flowMod({ command: 'modify_strict', tableId, priority, match, instructions }),
  };
}

/** Keys of matches, which are costly: copies of a flow share its match. */
const matchKeys = new WeakMap<ObservedFlow['match'], string>();

/** The identity of a flow in a bridge, as a key. */
export function keyOf(flow: Pick<ObservedFlow, 'tableId' | 'priority' | 'match'>): string {
  let key = matchKeys.get(flow.match);
  if (key === undefined) {
    key = matchKey(flow.match);
    matchKeys.set(flow.match, key);
  }
  return `table=${flow.tableId},priority=${flow.priority},${key}`;
}

/** The flow as ovs-ofctl takes it: "table=0,priority=100,in_port=1". */
export function formatFlow({ tableId, priority, match }: ObservedFlow): string {
  const fields = match.length === 0 ? [] : [formatMatch(match)];
  return [`table=${tableId}`, `priority=${priority}`, ...fields].join(',');
}
