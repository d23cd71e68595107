import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  concernsSampling,
  sampledSets,
  translateActions,
  translateInstructions,
} from '../../src/control/translation.ts';
import { sampleUserdata } from '../../src/intake/userdata.ts';
import type { Action, SampleAction } from '../../src/node-openflow/index.ts';

const OUTPUT: Action = { type: 'output', port: 1, maxLength: 0 };

function sample(collectorSetId: number, type: SampleAction['type'] = 'sample'): SampleAction {
  const ids = { observationDomainId: 7, observationPointId: 9 };
  return { type, probability: 655, collectorSetId, ...ids, samplingPort: 0xffff_ffff, direction: 0 };
}

const ours = (collectorSetId: number, meterId = 65_001): Action => ({
  type: 'controller2',
  maxLength: 192,
  controllerId: 18_768,
  userdata: sampleUserdata(sample(collectorSetId)),
  meterId,
});

const watching = (...sets: readonly number[]) => ({ collectorSets: new Set(sets), meterId: 65_001 });
const NOTHING = watching();

test('adds an action directly after each managed sample, at any depth', () => {
  assert.deepEqual(translateActions([OUTPUT, sample(1), OUTPUT, sample(2)], watching(1)), [
    OUTPUT,
    sample(1),
    ours(1),
    OUTPUT,
    sample(2),
  ]);
  assert.deepEqual(
    translateActions([{ type: 'clone', actions: [sample(1), OUTPUT] }, sample(1)], watching(1)),
    [{ type: 'clone', actions: [sample(1), ours(1), OUTPUT] }, sample(1), ours(1)],
  );
});

test('translates all variants of sample', () => {
  for (const type of ['sample', 'sample2', 'sample3', 'sample4'] as const) {
    assert.equal(translateActions([sample(1, type)], watching(1)).length, 2, type);
  }
});

test('returns the same array for correct actions, so that nothing is sent', () => {
  const lists: readonly (readonly Action[])[] = [
    [],
    [OUTPUT],
    [sample(2), OUTPUT],
    [sample(1), ours(1), OUTPUT],
    [{ type: 'clone', actions: [sample(1), ours(1)] }],
  ];
  for (const actions of lists) {
    assert.equal(translateActions(actions, watching(1)), actions);
  }
});

test('replaces an outdated action, and removes one in the wrong position', () => {
  const good = [sample(1), ours(1)];
  assert.deepEqual(translateActions([sample(1), ours(1, 5)], watching(1)), good);
  assert.deepEqual(translateActions([sample(1), ours(2)], watching(1)), good);
  assert.deepEqual(translateActions([ours(1), sample(1)], watching(1)), good);
  assert.deepEqual(translateActions([sample(1), ours(1), ours(1)], watching(1)), good);
  assert.deepEqual(translateActions([sample(2), ours(2)], watching(1)), [sample(2)]);
});

test("keeps a user's controller action, which has another id", () => {
  const users: Action = { type: 'controller2', controllerId: 0, userdata: Buffer.from([1]) };
  const actions = [sample(1), users];
  assert.deepEqual(translateActions(actions, watching(1)), [sample(1), ours(1), users]);
  assert.equal(translateActions([users], NOTHING).length, 1);
});

test('translates applied actions only, and keeps other instructions', () => {
  const goto = { type: 'goto_table', tableId: 3 } as const;
  const before = [{ type: 'apply_actions', actions: [sample(1)] } as const, goto];
  assert.deepEqual(translateInstructions(before, watching(1)), [
    { type: 'apply_actions', actions: [sample(1), ours(1)] },
    goto,
  ]);
  assert.equal(translateInstructions(before, NOTHING), before);
});

const arbitraryAction: fc.Arbitrary<Action> = fc.letrec<{ action: Action }>((tie) => ({
  action: fc.oneof(
    { depthSize: 'small' },
    fc.constant(OUTPUT),
    fc.integer({ min: 1, max: 3 }).map((set) => sample(set)),
    fc.array(tie('action'), { maxLength: 4 }).map((actions): Action => ({ type: 'clone', actions })),
  ),
})).action;

test('is idempotent, and a removal restores what the user wrote, whatever sets were managed before', () => {
  const sets = fc.uniqueArray(fc.integer({ min: 1, max: 3 }));
  fc.assert(
    fc.property(fc.array(arbitraryAction), sets, sets, (actions, first, second) => {
      const once = translateActions(actions, watching(...first));
      assert.equal(translateActions(once, watching(...first)), once);
      const again = translateActions(once, watching(...second));
      assert.deepEqual(again, translateActions(actions, watching(...second)));
      assert.deepEqual(translateActions(again, NOTHING), actions);
      const expected = sampledSets(actions).filter((set) => first.includes(set)).length;
      assert.equal(JSON.stringify(once).split('controller2').length - 1, expected);
    }),
  );
});

test('ignores flows without a sample or an added action', () => {
  assert.equal(concernsSampling([OUTPUT, { type: 'clone', actions: [OUTPUT] }]), false);
  assert.equal(
    concernsSampling([{ type: 'clone', actions: [{ type: 'clone', actions: [sample(1)] }] }]),
    true,
  );
  assert.equal(concernsSampling([ours(1)]), true);
});
