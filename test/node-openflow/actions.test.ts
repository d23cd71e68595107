import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ACTION_DEPTH_MAX,
  type Action,
  decodeActions,
  eachAction,
  encodeActions,
  isSameActions,
  loadBits,
} from '../../src/node-openflow/actions.ts';
import { formatActions } from '../../src/node-openflow/actions-text.ts';
import { OpenFlowEncodeError } from '../../src/node-openflow/errors.ts';
import { decodeFlowMod } from '../../src/node-openflow/flow-mod.ts';
import { appliedActions } from '../../src/node-openflow/instructions.ts';
import { matchField } from '../../src/node-openflow/match.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion } from '../../src/node-openflow/version.ts';
import { OpenFlowDecodeError, WireReader, WireWriter } from '../../src/node-openflow/wire.ts';
import { bodyReader, readVectors } from './vectors/read-vectors.ts';

const flowMods = readVectors('flow-mods.json', /^(OFPT|NXT)_FLOW_MOD/);

function actionsOf(version: OpenFlowVersion, actions: string): readonly Action[] {
  const vector = flowMods.find(
    (vector) => vector.version === version && vector.text.endsWith(`actions=${actions}`),
  );
  assert.ok(vector !== undefined, `no vector for "${actions}"`);
  return appliedActions(decodeFlowMod(version, bodyReader(vector)).instructions);
}

function encode(version: OpenFlowVersion, actions: readonly Action[]): Buffer {
  const writer = new WireWriter();
  encodeActions(version, actions, writer);
  return writer.finish();
}

function decode(version: OpenFlowVersion, hex: string): Action[] {
  return decodeActions(version, new WireReader(Buffer.from(hex, 'hex')));
}

const SAMPLE = {
  probability: 655,
  collectorSetId: 1,
  observationDomainId: 7,
  observationPointId: 9,
  samplingPort: 0xffff_ffff,
  direction: 0,
} as const;

describe('actions that ovs-ofctl has encoded', () => {
  test('include sample in the three forms of OVS 3.1', () => {
    for (const version of OPENFLOW_VERSIONS) {
      const plain = 'sample(probability=655,collector_set_id=1,obs_domain_id=7,obs_point_id=9)';
      assert.deepEqual(actionsOf(version, plain), [{ type: 'sample', ...SAMPLE }]);
      const all = 0xffff_ffff;
      const port =
        'sample(probability=65535,collector_set_id=4294967295,obs_domain_id=4294967295,obs_point_id=4294967295,sampling_port=3)';
      assert.deepEqual(actionsOf(version, port), [
        {
          type: 'sample2',
          probability: 65535,
          collectorSetId: all,
          observationDomainId: all,
          observationPointId: all,
          samplingPort: 3,
          direction: 0,
        },
      ]);
      const [egress] = actionsOf(version, 'sample(probability=1,collector_set_id=1,sampling_port=1,egress)');
      assert.ok(egress?.type === 'sample3');
      assert.deepEqual([egress.samplingPort, egress.direction], [1, 2]);
    }
  });

  test('include clone, whose nested actions are found', () => {
    const text = 'clone(sample(probability=1,collector_set_id=1),output:2),clone(clone(output:3),NORMAL)';
    for (const version of OPENFLOW_VERSIONS) {
      const actions = actionsOf(version, text);
      assert.deepEqual(
        [...eachAction(actions)].map(({ type }) => type),
        ['clone', 'sample', 'output', 'clone', 'clone', 'output', 'output'],
      );
    }
  });

  test('have 32-bit ports in all versions', () => {
    const text = 'output:1,output:65279,IN_PORT,LOCAL,NORMAL,FLOOD,ALL,output:TABLE';
    const reserved = [0xffff_fff8, 0xffff_fffe, 0xffff_fffa, 0xffff_fffb, 0xffff_fffc, 0xffff_fff9];
    for (const version of OPENFLOW_VERSIONS) {
      const ports = actionsOf(version, text).map((action) => (action.type === 'output' ? action.port : -1));
      assert.deepEqual(ports, [1, 65279, ...reserved]);
    }
  });

  test('set fields in OpenFlow 1.5 where other versions load registers', () => {
    const text = 'load:1->NXM_NX_REG11[31],load:0x12345->NXM_OF_ETH_SRC[],load:7->OXM_OF_METADATA[3..9]';
    assert.deepEqual(actionsOf(4, text)[0], loadBits(4, 'reg11', 31, 1, 1n));
    assert.deepEqual(actionsOf(1, text)[0], loadBits(1, 'reg11', 31, 1, 1n));
    assert.deepEqual(actionsOf(6, text)[0], loadBits(6, 'reg11', 31, 1, 1n));
    assert.deepEqual(loadBits(6, 'reg3', 0, 32, 5n), { type: 'set_field', field: matchField('reg3', 5) });
  });
});

describe('actions as bytes', () => {
  test('include sample4 of OVS 3.4, with ids from fields or as numbers', () => {
    // Encoded by hand: domain from reg0[0..31], point 9, port none, egress.
    const hex = 'ffff002800002320003300010000000100010004001f00000000000000000009ffff020000000000';
    assert.deepEqual(decode(4, hex), [
      {
        type: 'sample4',
        ...SAMPLE,
        probability: 1,
        observationDomainId: { field: 'reg0', offset: 0, bitCount: 32 },
        direction: 2,
      },
    ]);
    assert.equal(encode(4, decode(4, hex)).toString('hex'), hex);
  });

  test('are kept if they are unknown, or if they would be encoded differently', () => {
    const survivors = [
      'ffff0010000023207777010203040506', // an unassigned number
      'ffff0010deadbeef0001010203040506', // another experimenter
      'ffff0008deadbeef', // an experimenter without a subtype
      '7777000801020304', // an unassigned type
      'ffff001000002320001100000000000f', // exit with padding that is not zero
      'ffff0018000023200025000000000000002a000801020304', // controller2 with an unknown property
      'ffff00180000232000250000000000000003ffff01020304', // controller2 with a property that is too long
      'ffff00180000232000250000000000000002000501000000', // controller2 with a reason: known
    ];
    for (const hex of survivors) {
      assert.equal(encode(4, decode(4, hex)).toString('hex'), hex);
    }
    const types = survivors.map((hex) => decode(4, hex)[0]?.type);
    assert.deepEqual(types, [...Array.from({ length: 7 }, () => 'unknown'), 'controller2']);
  });

  test('are refused with an invalid length', () => {
    for (const hex of ['0000', '00000004', '0000000700000000', '0000001000000000', '0000000000000000']) {
      assert.throws(() => decode(4, hex), OpenFlowDecodeError);
    }
  });

  test('are kept as bytes if nested deeper than the limit', () => {
    let inner = '0016000800000001';
    for (let depth = 0; depth < ACTION_DEPTH_MAX + 5; depth += 1) {
      const length = (inner.length / 2 + 16).toString(16).padStart(4, '0');
      inner = `ffff${length}00002320002a000000000000${inner}`;
    }
    const actions = decode(4, inner);
    const types = [...eachAction(actions)].map(({ type }) => type);
    assert.equal(types.length, ACTION_DEPTH_MAX + 1);
    assert.equal(types.at(-1), 'unknown');
    assert.equal(encode(4, actions).toString('hex'), inner);
  });

  test('are refused by name if the version lacks them', () => {
    assert.throws(
      () => encode(6, [{ type: 'reg_load', target: { field: 'reg0', offset: 0, bitCount: 1 }, value: 1n }]),
      (error) => error instanceof OpenFlowEncodeError && error.message.includes('action reg_load'),
    );
    assert.throws(() => encode(4, [{ type: 'meter', value: 1 }]), OpenFlowEncodeError);
    assert.throws(() => loadBits(4, 'reg0', 31, 2, 1n), RangeError);
    assert.throws(() => loadBits(4, 'reg0', 0, 2, 4n), RangeError);
  });

  test('are compared by their encoding', () => {
    const [one, other] = [decode(4, '0016000800000001'), decode(4, '0016000800000002')];
    assert.ok(isSameActions(4, one, decode(4, '0016000800000001')));
    assert.ok(!isSameActions(4, one, other));
  });
});

test('formats actions in the syntax of ovs-ofctl', () => {
  const text = (actions: string): string => formatActions(actionsOf(4, actions));
  assert.equal(text('drop'), 'drop');
  assert.equal(
    text('resubmit:3,resubmit(2,3),resubmit(,4),resubmit(5)'),
    'resubmit(3,),resubmit(2,3),resubmit(,4),resubmit(5,)',
  );
  assert.equal(
    text('clone(sample(probability=1,collector_set_id=1),output:2),clone(clone(output:3),NORMAL)'),
    'clone(sample(probability=1,collector_set_id=1,obs_domain_id=0,obs_point_id=0),output:2),clone(clone(output:3),output:NORMAL)',
  );
  assert.match(text('multipath(eth_src,50,hrw,12,0,NXM_NX_REG0[0..7])'), /^multipath\(ffff0020[0-9a-f]+\)$/);
});
