import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  HOOK_METER_BURST,
  type HookOptions,
  type HookPlace,
  hookMatch,
  hookRefresh,
  isAtHookPlace,
  isForeignMeter,
  type ObservedHook,
  planHook,
} from '../../src/control/hook.ts';
import {
  type Action,
  type FlowStats,
  METER_FLAGS,
  type MessageOf,
  type MeterConfig,
  matchField,
  type OpenFlowVersion,
} from '../../src/node-openflow/index.ts';

const options: HookOptions = { maxSampleRate: 5000, observationDomainId: 123, observationPointId: 456 };
const nothing: ObservedHook = { flow: undefined, meter: undefined };

/** Meters came with OpenFlow 1.3. */
const placeOf = (version: OpenFlowVersion): HookPlace => ({
  mark: { register: 11, bit: 31 },
  version,
  meterId: version === 1 ? undefined : 65_000,
});

const meter: MeterConfig = {
  meterId: 65_000,
  flags: METER_FLAGS.pktps | METER_FLAGS.burst | METER_FLAGS.stats,
  bands: [{ type: 'drop', rate: 5000, burstSize: HOOK_METER_BURST }],
};

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

function addedFlow(place: HookPlace): FlowStats {
  const message = planHook({ flow: undefined, meter }, place, options).at(-1)?.messages[0];
  assert.equal(message?.type, 'flow_mod');
  return shown(message);
}

function actionsOf(flow: FlowStats): readonly Action[] {
  const [instruction] = flow.instructions;
  assert.equal(instruction?.type, 'apply_actions');
  return instruction.actions;
}

test('the meter comes before the flow that uses it, and goes after it', () => {
  const place = placeOf(5);
  const added = planHook(nothing, place, options);
  assert.deepEqual(
    added.map((step) => step.messages.map((message) => message.type)),
    [['meter_mod'], ['flow_mod']],
  );
  assert.deepEqual(
    added.map((step) => step.isMeterNew),
    [true, false],
  );
  const removed = planHook({ flow: addedFlow(place), meter }, place, undefined);
  assert.deepEqual(
    removed.map((step) => step.messages.map((message) => message.type)),
    [['flow_mod'], ['meter_mod']],
  );
});

test('what is as it should be needs nothing, wanted or not', () => {
  for (const version of [1, 4, 5, 6] as const) {
    const place = placeOf(version);
    const observed = { flow: addedFlow(place), meter: version === 1 ? undefined : meter };
    assert.deepEqual(planHook(observed, place, options), [], `version ${version}`);
    assert.deepEqual(planHook(nothing, place, undefined), []);
  }
});

test('the packet is copied before it is marked, and then goes through the tables again', () => {
  for (const version of [4, 6] as const) {
    const types = actionsOf(addedFlow(placeOf(version))).map((action) => action.type);
    assert.deepEqual(types, ['controller2', version === 6 ? 'set_field' : 'reg_load', 'output']);
  }
});

test('another rate changes the meter, and other ids change the flow', () => {
  const place = placeOf(5);
  const observed = { flow: addedFlow(place), meter };
  const rate = planHook(observed, place, { ...options, maxSampleRate: 100 });
  assert.equal(rate.length, 1);
  assert.deepEqual(rate[0]?.messages, [
    {
      type: 'meter_mod',
      command: 'modify',
      meterId: 65_000,
      flags: meter.flags,
      bands: [{ type: 'drop', rate: 100, burstSize: 100 }],
    },
  ]);
  for (const changed of [{ observationDomainId: 1 }, { observationPointId: 1 }]) {
    assert.deepEqual(
      planHook(observed, place, { ...options, ...changed }).map((step) => step.what),
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
      planHook({ flow, meter }, place, options).length,
      1,
      JSON.stringify(actions.map((action) => action.type)),
    );
  }
  assert.equal(planHook({ flow: { ...good, hardTimeout: 0 }, meter }, place, options).length, 1);
});

test('the hook is recognised by table, priority and match alone', () => {
  const flow = addedFlow(placeOf(5));
  const mark = { register: 11, bit: 31 };
  assert.equal(isAtHookPlace({ ...flow, cookie: 0n, instructions: [] }, mark), true);
  assert.equal(isAtHookPlace({ ...flow, tableId: 1 }, mark), false);
  assert.equal(isAtHookPlace({ ...flow, priority: 65_534 }, mark), false);
  assert.equal(
    isAtHookPlace({ ...flow, match: [...hookMatch(mark), matchField('in_port_oxm', 1)] }, mark),
    false,
  );
  assert.equal(isAtHookPlace(flow, { register: 11, bit: 30 }), false);
});

test('the burst holds a millisecond of the rate, without which a userspace meter is never filled again', () => {
  for (const [maxSampleRate, burstSize] of [
    [1, 100],
    [5000, 100],
    [100_000, 100],
    [100_001, 101],
    [1_000_000, 1000],
  ] as const) {
    const [step] = planHook(nothing, placeOf(5), { ...options, maxSampleRate });
    const [message] = step?.messages ?? [];
    assert.equal(message?.type, 'meter_mod');
    assert.deepEqual(message.bands, [{ type: 'drop', rate: maxSampleRate, burstSize }]);
    assert.equal(isForeignMeter({ ...meter, bands: message.bands }), false);
  }
});

test("a meter of another shape is somebody else's, ours of another rate is not", () => {
  assert.equal(isForeignMeter(meter), false);
  assert.equal(isForeignMeter({ ...meter, bands: [{ type: 'drop', rate: 1, burstSize: 100 }] }), false);
  assert.equal(isForeignMeter({ ...meter, flags: METER_FLAGS.kbps }), true);
  assert.equal(isForeignMeter({ ...meter, bands: [] }), true);
  assert.equal(isForeignMeter({ ...meter, bands: [{ type: 'drop', rate: 5000, burstSize: 99 }] }), true);
  const foreign = { flow: undefined, meter: { ...meter, bands: [] } };
  assert.deepEqual(planHook(foreign, placeOf(5), undefined), []);
});

test('the refresh is the same flow, as a change that never adds', () => {
  const place = placeOf(5);
  const refresh = hookRefresh(place, options);
  assert.equal(refresh.type, 'flow_mod');
  assert.equal(refresh.command, 'modify_strict');
  assert.deepEqual(shown(refresh), addedFlow(place));
});
