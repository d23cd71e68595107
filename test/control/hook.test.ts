import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type HookOptions,
  type HookSlot,
  hookMatch,
  hookRefresh,
  isInHookSlot,
  planHook,
} from '../../src/control/hook.ts';
import {
  type Action,
  type FlowStats,
  type MessageOf,
  matchField,
  type OpenFlowVersion,
} from '../../src/node-openflow/index.ts';

const options: HookOptions = { observationDomainId: 123, observationPointId: 456 };

/** Meters came with OpenFlow 1.3. */
const slotOf = (version: OpenFlowVersion): HookSlot => ({
  mark: { register: 11, bit: 31 },
  version,
  meterId: version === 1 ? undefined : 65_000,
});

/** Returns the flow as a switch shows it after it was added. */
function shown(mod: MessageOf<'flow_mod'>): FlowStats {
  const {
    command: _command,
    cookieMask: _cookieMask,
    bufferId: _buffer,
    outPort: _port,
    outGroup: _group,
    ...flow
  } = mod;
  const { type: _type, newCookie: _newCookie, ...kept } = flow;
  return { ...kept, packetCount: 0n, byteCount: 0n, durationSeconds: 0, durationNanoseconds: 0 };
}

function addedFlow(slot: HookSlot): FlowStats {
  const message = planHook(undefined, slot, options)[0]?.messages[0];
  assert.equal(message?.type, 'flow_mod');
  return shown(message);
}

function actionsOf(flow: FlowStats): readonly Action[] {
  const [instruction] = flow.instructions;
  assert.equal(instruction?.type, 'apply_actions');
  return instruction.actions;
}

test('deletes a hook that is not desired by its slot', () => {
  const slot = slotOf(5);
  const [step, ...more] = planHook(addedFlow(slot), slot, undefined);
  assert.equal(more.length, 0);
  const [mod] = step?.messages ?? [];
  assert.ok(mod?.type === 'flow_mod' && mod.command === 'delete_strict' && mod.priority === 65_535);
});

test('plans nothing if the actual state is desired', () => {
  for (const version of [1, 4, 5, 6] as const) {
    const slot = slotOf(version);
    assert.deepEqual(planHook(addedFlow(slot), slot, options), [], `version ${version}`);
    assert.deepEqual(planHook(undefined, slot, undefined), []);
  }
});

test('copies the packet before it sets the mark, and then sends it through the tables', () => {
  for (const version of [4, 6] as const) {
    const types = actionsOf(addedFlow(slotOf(version))).map((action) => action.type);
    assert.deepEqual(types, ['controller2', version === 6 ? 'set_field' : 'reg_load', 'output']);
  }
});

test('replaces the flow for other ids', () => {
  const slot = slotOf(5);
  for (const changed of [{ observationDomainId: 1 }, { observationPointId: 1 }]) {
    const steps = planHook(addedFlow(slot), slot, { ...options, ...changed });
    assert.deepEqual(
      steps.map((step) => step.what),
      ['add the hook'],
    );
  }
});

test("replaces a flow in the hook's slot with other actions", () => {
  const slot = slotOf(5);
  const good = addedFlow(slot);
  const [copy, load, output] = actionsOf(good);
  assert.ok(copy?.type === 'controller2' && load && output);
  const worse: readonly (readonly Action[])[] = [
    [],
    [copy, load],
    [load, copy, output],
    [{ ...copy, meterId: 1 }, load, output],
    [{ ...copy, controllerId: 1 }, load, output],
    [{ type: 'controller2', controllerId: 18_768, meterId: 65_000 }, load, output],
    [copy, load, { type: 'output', port: 1, maxLength: 0 }],
    [copy, { type: 'reg_load', target: { field: 'reg11', offset: 30, bitCount: 1 }, value: 1n }, output],
    [copy, load, output, output],
  ];
  for (const actions of worse) {
    const flow = { ...good, instructions: [{ type: 'apply_actions', actions }] } as FlowStats;
    assert.equal(
      planHook(flow, slot, options).length,
      1,
      JSON.stringify(actions.map((action) => action.type)),
    );
  }
  assert.equal(planHook({ ...good, hardTimeout: 0 }, slot, options).length, 1);
});

test("recognises the hook's slot by table, priority and match", () => {
  const flow = addedFlow(slotOf(5));
  const mark = { register: 11, bit: 31 };
  assert.equal(isInHookSlot(flow, mark), true);
  assert.equal(isInHookSlot({ ...flow, tableId: 1 }, mark), false);
  assert.equal(isInHookSlot({ ...flow, priority: 65_534 }, mark), false);
  assert.equal(
    isInHookSlot({ ...flow, match: [...hookMatch(mark), matchField('in_port_oxm', 1)] }, mark),
    false,
  );
  assert.equal(isInHookSlot(flow, { register: 11, bit: 30 }), false);
});

test('refreshes by the same flow as a modification, which never adds a flow', () => {
  const slot = slotOf(5);
  const refresh = hookRefresh(slot, options);
  assert.equal(refresh.type, 'flow_mod');
  assert.equal(refresh.command, 'modify_strict');
  assert.deepEqual(shown(refresh), addedFlow(slot));
});

const sampled: HookOptions = {
  ...options,
  sample: {
    probability: 655,
    collectorSetId: 0xffff_fe00,
    observationDomainId: 9,
    observationPointId: 8,
  },
};

/** Returns the only message of the steps to a hook, and what the step does. */
function onlyStep(observed: FlowStats | undefined, desired: HookOptions) {
  const [step, ...more] = planHook(observed, slotOf(5), desired);
  const [message, ...others] = step?.messages ?? [];
  assert.ok(step !== undefined && message?.type === 'flow_mod' && more.length + others.length === 0);
  return { what: step.what, message };
}

test('has the datapath sample instead of sending packets', () => {
  for (const version of [1, 4, 5, 6] as const) {
    const slot = slotOf(version);
    const message = planHook(undefined, slot, sampled)[0]?.messages[0];
    assert.equal(message?.type, 'flow_mod');
    const flow = shown(message);
    const [first] = actionsOf(flow);
    assert.deepEqual(first, { type: 'sample', ...sampled.sample, samplingPort: 0xffff_ffff, direction: 0 });
    assert.deepEqual(planHook(flow, slot, sampled), []);
  }
});

test('changes the sampler, and the probability, by one modification that keeps the counters', () => {
  assert.ok(sampled.sample);
  const { message: added } = onlyStep(undefined, sampled);
  const changes: readonly (readonly [FlowStats, HookOptions])[] = [
    [addedFlow(slotOf(5)), sampled],
    [shown(added), options],
    [shown(added), { ...sampled, sample: { ...sampled.sample, probability: 656 } }],
    [shown(added), { ...sampled, sample: { ...sampled.sample, observationPointId: 1 } }],
    [shown(added), { ...sampled, sample: { ...sampled.sample, collectorSetId: 1 } }],
  ];
  for (const [observed, desired] of changes) {
    const { what, message } = onlyStep(observed, desired);
    assert.equal(what, 'change the hook');
    assert.equal(message.command, 'modify_strict');
    assert.deepEqual(planHook(shown(message), slotOf(5), desired), []);
  }
  const { message } = onlyStep({ ...shown(added), hardTimeout: 0 }, sampled);
  assert.equal(message.command, 'add', 'a modification would not repair the hard timeout');
});
