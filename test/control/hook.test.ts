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
const placeOf = (version: OpenFlowVersion): HookSlot => ({
  mark: { register: 11, bit: 31 },
  version,
  meterId: version === 1 ? undefined : 65_000,
});

/** The flow as a switch shows it after it was added. */
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

function addedFlow(place: HookSlot): FlowStats {
  const message = planHook(undefined, place, options)[0]?.messages[0];
  assert.equal(message?.type, 'flow_mod');
  return shown(message);
}

function actionsOf(flow: FlowStats): readonly Action[] {
  const [instruction] = flow.instructions;
  assert.equal(instruction?.type, 'apply_actions');
  return instruction.actions;
}

test('a hook that is not wanted is deleted at its place', () => {
  const place = placeOf(5);
  const [step, ...more] = planHook(addedFlow(place), place, undefined);
  assert.equal(more.length, 0);
  const [mod] = step?.messages ?? [];
  assert.ok(mod?.type === 'flow_mod' && mod.command === 'delete_strict' && mod.priority === 65_535);
});

test('what is as it should be needs nothing, wanted or not', () => {
  for (const version of [1, 4, 5, 6] as const) {
    const place = placeOf(version);
    assert.deepEqual(planHook(addedFlow(place), place, options), [], `version ${version}`);
    assert.deepEqual(planHook(undefined, place, undefined), []);
  }
});

test('the packet is copied before it is marked, and then goes through the tables again', () => {
  for (const version of [4, 6] as const) {
    const types = actionsOf(addedFlow(placeOf(version))).map((action) => action.type);
    assert.deepEqual(types, ['controller2', version === 6 ? 'set_field' : 'reg_load', 'output']);
  }
});

test('other ids change the flow', () => {
  const place = placeOf(5);
  for (const changed of [{ observationDomainId: 1 }, { observationPointId: 1 }]) {
    const steps = planHook(addedFlow(place), place, { ...options, ...changed });
    assert.deepEqual(
      steps.map((step) => step.what),
      ['add the hook'],
    );
  }
});

test("a flow at the hook's place that does anything else is replaced", () => {
  const place = placeOf(5);
  const good = addedFlow(place);
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
      planHook(flow, place, options).length,
      1,
      JSON.stringify(actions.map((action) => action.type)),
    );
  }
  assert.equal(planHook({ ...good, hardTimeout: 0 }, place, options).length, 1);
});

test('the hook is recognised by table, priority and match alone', () => {
  const flow = addedFlow(placeOf(5));
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

test('the refresh is the same flow, as a change that never adds', () => {
  const place = placeOf(5);
  const refresh = hookRefresh(place, options);
  assert.equal(refresh.type, 'flow_mod');
  assert.equal(refresh.command, 'modify_strict');
  assert.deepEqual(shown(refresh), addedFlow(place));
});
