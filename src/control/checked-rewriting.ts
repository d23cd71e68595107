// Rewrites flows where no flow monitor shows them whole (Open vSwitch before 3.0). OpenFlow has no compare-and-swap, but Open
// vSwitch handles the messages of a connection in their order, up to 50 of them before it turns to its other clients. So each
// flow is read right before it is written, by requests that reach the switch in the same write: either some flows one by
// one, or all of a batch and the commit of a bundle. The reply shows what the write has replaced. When it is not what was
// expected, another client has modified the flow since it was last read, and flow-translator.ts writes that version back.
//
// Other clients may have their turn between the two messages when the switch receives them apart, or when 100 replies to
// the connection wait, since Open vSwitch reads no more of it until they are sent. client-changes.ts finds out about that.

import {
  BUNDLE_FLAGS,
  encodeMessage,
  type FlowStats,
  flowStatsRequest,
  type OpenFlowConnection,
  OpenFlowEncodeError,
  type OpenFlowMessage,
  OpenFlowRequestError,
  TABLE_ALL,
} from '../node-openflow/index.ts';
import {
  keyOf,
  type ObservedFlow,
  type Rewriting,
  type RewritingOutcome,
  refusalsOf,
  rewritingMessage,
} from './flow-rewriting.ts';
import { commonMatch, READ_EACH_MAX } from './rewriting-batch.ts';

/** Open vSwitch has one space of bundle ids for each connection, and this file is the only one that sends bundles on it. */
const BUNDLE_ID = 1;
const BUNDLE = { bundleId: BUNDLE_ID, flags: BUNDLE_FLAGS.atomic | BUNDLE_FLAGS.ordered } as const;

/**
 * Flows in a batch. Their events take less than the 128 kB of a connection that does not read at once, beyond which Open
 * vSwitch pauses its flow monitors, so that all flows would have to be read again.
 */
export const CHECKED_BATCH = 500;

/**
 * Writes a batch of flows of one table and returns what each write has replaced. `isOvertaken`: whether another client is
 * known to have modified one of the flows; a batch that has not been committed by then is abandoned.
 */
export async function rewriteChecked(
  connection: OpenFlowConnection,
  batch: readonly Rewriting[],
  isOvertaken: () => boolean,
): Promise<RewritingOutcome> {
  if (batch.length <= READ_EACH_MAX) {
    return writeFaultless(connection, batch, (faultless) => writeEach(connection, faultless));
  }
  try {
    return await writeBundle(connection, batch, isOvertaken);
  } catch (error) {
    if (!(error instanceof OpenFlowEncodeError)) {
      throw error;
    }
    await control(connection, 'discard_request');
    return writeFaultless(connection, batch, (faultless) =>
      rewriteChecked(connection, faultless, isOvertaken),
    );
  }
}

/** Writes the flows that fit into messages, and refuses the others. */
async function writeFaultless(
  connection: OpenFlowConnection,
  batch: readonly Rewriting[],
  write: (faultless: readonly Rewriting[]) => Promise<RewritingOutcome>,
): Promise<RewritingOutcome> {
  const faults = new Map<string, string>();
  const faultless: Rewriting[] = [];
  for (const rewriting of batch) {
    const fault = encodeFault(connection, rewriting);
    if (fault === undefined) {
      faultless.push(rewriting);
    } else {
      faults.set(rewriting.key, fault);
    }
  }
  const outcome = await write(faultless);
  return { ...outcome, refusals: new Map([...faults, ...outcome.refusals]) };
}

/** Returns why a flow cannot be sent, such as one that is too large with its companion actions; undefined when it can. */
function encodeFault(connection: OpenFlowConnection, rewriting: Rewriting): string | undefined {
  const { version } = connection.status();
  try {
    if (version !== null) {
      encodeMessage(version, inBundle(rewriting), 0);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof OpenFlowEncodeError)) {
      throw error;
    }
    return error.message;
  }
}

function inBundle(rewriting: Rewriting): OpenFlowMessage {
  return { type: 'bundle_add_message', ...BUNDLE, message: rewritingMessage(rewriting) };
}

async function writeEach(
  connection: OpenFlowConnection,
  batch: readonly Rewriting[],
): Promise<RewritingOutcome> {
  const [replies, errors] = await connection.together(() =>
    Promise.all([
      Promise.all(batch.map(({ flow }) => readFlows(connection, flow))),
      connection.transact(batch.map(rewritingMessage)),
    ]),
  );
  return { refusals: refusalsOf(errors, batch), replaced: select(replies.flat(), batch) };
}

async function writeBundle(
  connection: OpenFlowConnection,
  batch: readonly Rewriting[],
  isOvertaken: () => boolean,
): Promise<RewritingOutcome> {
  const refusals = new Map<string, string>();
  let rest = batch;
  while (rest.length > 0) {
    if (!(await control(connection, 'open_request'))) {
      return writeInParts(connection, rest, refusals);
    }
    const errors = await connection.transact(rest.map(inBundle));
    if (errors.length === 0) {
      return isOvertaken() ? abandon(connection, refusals) : commitBundle(connection, batch, refusals);
    }
    // Open vSwitch would commit the others.
    await control(connection, 'discard_request');
    const refused = refusalsOf(errors, rest);
    for (const [key, message] of refused) {
      refusals.set(key, message);
    }
    rest = rest.filter(({ key }) => !refused.has(key));
  }
  return { refusals };
}

async function abandon(
  connection: OpenFlowConnection,
  refusals: ReadonlyMap<string, string>,
): Promise<RewritingOutcome> {
  await control(connection, 'discard_request');
  return { refusals, isAbandoned: true };
}

/** Reads the flows and commits the bundle in one write. */
async function commitBundle(
  connection: OpenFlowConnection,
  batch: readonly Rewriting[],
  refusals: Map<string, string>,
): Promise<RewritingOutcome> {
  const accepted = batch.filter(({ key }) => !refusals.has(key));
  const tableId = batch[0]?.flow.tableId ?? TABLE_ALL;
  const match = commonMatch(batch.map(({ flow }) => flow));
  const [found, isCommitted] = await connection.together(() =>
    Promise.all([readFlows(connection, { tableId, match }), control(connection, 'commit_request')]),
  );
  return isCommitted
    ? { refusals, replaced: select(found, batch) }
    : writeInParts(connection, accepted, refusals);
}

/** For a switch without bundles, and for a bundle that it refuses as a whole. */
async function writeInParts(
  connection: OpenFlowConnection,
  batch: readonly Rewriting[],
  refusals: Map<string, string>,
): Promise<RewritingOutcome> {
  const replaced = new Map<string, ObservedFlow>();
  for (let start = 0; start < batch.length; start += READ_EACH_MAX) {
    const outcome = await writeEach(connection, batch.slice(start, start + READ_EACH_MAX));
    for (const [key, message] of outcome.refusals) {
      refusals.set(key, message);
    }
    for (const [key, flow] of outcome.replaced ?? []) {
      replaced.set(key, flow);
    }
  }
  return { refusals, replaced };
}

/** Whether the switch did what a message about the bundle says. */
async function control(
  connection: OpenFlowConnection,
  kind: 'open_request' | 'commit_request' | 'discard_request',
): Promise<boolean> {
  try {
    await connection.request({ type: 'bundle_control', ...BUNDLE, control: kind });
    return true;
  } catch (error) {
    if (error instanceof OpenFlowRequestError) {
      return false;
    }
    throw error;
  }
}

/** The flows of a table that the match selects, with more specific ones. */
async function readFlows(
  connection: OpenFlowConnection,
  { tableId, match }: Pick<ObservedFlow, 'tableId' | 'match'>,
): Promise<readonly FlowStats[]> {
  const request = { type: 'flow_stats_request', ...flowStatsRequest({ tableId, match }) } as const;
  return (await connection.request(request)).entries;
}

function select(
  found: readonly ObservedFlow[],
  batch: readonly Rewriting[],
): ReadonlyMap<string, ObservedFlow> {
  const keys = new Set(batch.map(({ key }) => key));
  const selected = new Map<string, ObservedFlow>();
  for (const flow of found) {
    const key = keyOf(flow);
    if (keys.has(key)) {
      selected.set(key, flow);
    }
  }
  return selected;
}
