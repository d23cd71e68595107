// A flow translator with a scripted transport, and flows, actions and events by number.

import assert from 'node:assert/strict';
import { sendRewritings, type Transact } from '../../src/control/flow-rewriting.ts';
import { FlowTranslator } from '../../src/control/flow-translator.ts';
import { sampleUserdata } from '../../src/intake/userdata.ts';
import {
  type Action,
  type FlowUpdate,
  type Instruction,
  matchField,
  matchKey,
  type OpenFlowMessage,
  OpenFlowRequestError,
  type SampleAction,
} from '../../src/node-openflow/index.ts';

export const METER = 65_001;
export const OUTPUT: Action = { type: 'output', port: 1, maxLength: 0 };
export const watching = (...sets: readonly number[]) => ({ collectorSets: new Set(sets), meterId: METER });

export function sample(collectorSetId: number, observationPointId = 0): SampleAction {
  const ids = { observationDomainId: 7, observationPointId };
  return {
    type: 'sample',
    probability: 655,
    collectorSetId,
    ...ids,
    samplingPort: 0xffff_ffff,
    direction: 0,
  };
}

export const companion = (sampling: SampleAction): Action => ({
  type: 'controller2',
  maxLength: 192,
  controllerId: 18_768,
  userdata: sampleUserdata(sampling),
  meterId: METER,
});

export const apply = (...actions: readonly Action[]): readonly Instruction[] => [
  { type: 'apply_actions', actions },
];

/** Rewrites the pending flows, as with a flow monitor that shows flows whole. */
export function runWith(translator: FlowTranslator, transact: Transact): Promise<boolean> {
  return translator.run((batch) => sendRewritings(batch, transact));
}

/** Returns an event of the monitor about the flow with the number. */
export function update(
  event: FlowUpdate['event'],
  flow: number,
  instructions: readonly Instruction[] = [],
  hardTimeout = 0,
): FlowUpdate {
  return {
    event,
    reason: 0,
    tableId: 3,
    priority: 100 + flow,
    idleTimeout: 0,
    hardTimeout,
    cookie: 5n,
    match: [matchField('eth_type', 0x0800)],
    instructions,
  };
}

export const numberOf = (message: OpenFlowMessage): number => {
  assert.equal(message.type, 'flow_mod');
  assert.ok(message.type === 'flow_mod');
  assert.equal(message.command, 'modify_strict');
  assert.equal(message.tableId, 3);
  assert.equal(matchKey(message.match), matchKey(update('added', 0).match));
  assert.equal(message.cookieMask, 0n);
  return message.priority - 100;
};
export const instructionsOf = (message: OpenFlowMessage): readonly Instruction[] =>
  message.type === 'flow_mod' ? message.instructions : [];

export function refusal(index: number): OpenFlowRequestError {
  const report = {
    errorType: 5,
    errorCode: 6,
    vendor: 0,
    name: 'OFPFMFC_BAD_COMMAND',
    data: Buffer.alloc(0),
  };
  return new OpenFlowRequestError(report, 'flow_mod', 1, index);
}

/** Makes a translator that watches set 1, and stores what it sends; `during` runs while a batch is under way. */
export function scripted(flowsMax?: number) {
  const translator = new FlowTranslator({ bridge: 'br0', ...(flowsMax === undefined ? {} : { flowsMax }) });
  translator.setOptions(watching(1));
  const batches: (readonly OpenFlowMessage[])[] = [];
  const script: { during?: () => void; refuses?: number } = {};
  const transact: Transact = async (messages) => {
    batches.push(messages);
    const { during } = script;
    delete script.during;
    await Promise.resolve();
    during?.();
    return messages.flatMap((message, index) =>
      numberOf(message) === script.refuses ? [refusal(index)] : [],
    );
  };
  const run = () => runWith(translator, transact);
  const sent = () => batches.flat().map((message) => [numberOf(message), instructionsOf(message)] as const);
  return { translator, batches, script, transact, run, sent };
}
