import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eachAction } from '../../src/node-openflow/actions.ts';
import { OpenFlowEncodeError } from '../../src/node-openflow/errors.ts';
import { decodeFlowMod, encodeFlowMod, type FlowMod, flowMod } from '../../src/node-openflow/flow-mod.ts';
import { appliedActions } from '../../src/node-openflow/instructions.ts';
import { findField, matchField } from '../../src/node-openflow/match.ts';
import { decodePacketOut, encodePacketOut } from '../../src/node-openflow/packet-out.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion } from '../../src/node-openflow/version.ts';
import { OpenFlowDecodeError, WireReader, WireWriter } from '../../src/node-openflow/wire.ts';
import { body, bodyReader, readVectors, tryPrefixes, type Vector } from './vectors/read-vectors.ts';

const flowMods = readVectors('flow-mods.json', /^(OFPT|NXT)_FLOW_MOD/);
/** Actions of OVS that this library keeps as bytes. */
const KEPT_AS_BYTES = /learn|nat|multipath|bundle|encap|decap/;

function encode(version: OpenFlowVersion, mod: FlowMod): Buffer {
  const writer = new WireWriter();
  encodeFlowMod(version, mod, writer);
  return writer.finish();
}

function decoded(version: OpenFlowVersion, text: string): FlowMod {
  const vector = flowMods.find((vector) => vector.version === version && vector.text === text);
  assert.ok(vector !== undefined, `no vector for "${text}"`);
  return decodeFlowMod(version, bodyReader(vector));
}

function label({ version, text }: Vector): string {
  return `version ${version}: ${text}`;
}

describe('flow mods that ovs-ofctl has encoded', () => {
  test('cover all versions', () => {
    for (const version of OPENFLOW_VERSIONS) {
      assert.ok(flowMods.filter((vector) => vector.version === version).length > 90);
    }
  });

  test('are decoded and encoded to the same bytes', () => {
    for (const vector of flowMods) {
      const mod = decodeFlowMod(vector.version, bodyReader(vector));
      assert.equal(encode(vector.version, mod).toString('hex'), body(vector).toString('hex'), label(vector));
    }
  });

  test('have known fields and actions only, except those that are kept as bytes', () => {
    for (const vector of flowMods) {
      const mod = decodeFlowMod(vector.version, bodyReader(vector));
      assert.equal(findField(mod.match, 'unknown' as never), undefined, label(vector));
      const unknown = mod.instructions.flatMap((instruction) => {
        const actions = 'actions' in instruction ? [...eachAction(instruction.actions)] : [instruction];
        return actions.filter(({ type }) => type === 'unknown');
      });
      assert.equal(unknown.length > 0, KEPT_AS_BYTES.test(vector.text), label(vector));
    }
  });

  test('are decoded to a shorter flow mod or refused by name if truncated anywhere', () => {
    for (const vector of flowMods) {
      tryPrefixes(vector, (reader) => decodeFlowMod(vector.version, reader));
    }
  });

  test('are decoded to their fields', () => {
    const mod = decoded(
      4,
      'add-flow table=3,priority=65535,cookie=0x1234,hard_timeout=30,idle_timeout=9,reg11=0/0x80000000,actions=drop',
    );
    assert.deepEqual(
      mod,
      flowMod({
        command: 'add',
        tableId: 3,
        priority: 65535,
        cookie: 0x1234n,
        hardTimeout: 30,
        idleTimeout: 9,
        match: [matchField('reg11', 0, 0x8000_0000)],
      }),
    );
    const evictable = decoded(5, 'add-flow importance=77,send_flow_rem,check_overlap,actions=drop');
    assert.deepEqual([evictable.importance, evictable.flags], [77, 3]);
    assert.equal(decoded(4, 'add-flow reset_counts,no_packet_counts,no_byte_counts,actions=drop').flags, 28);
    assert.equal(decoded(6, 'del-flows out_group=3').outGroup, 3);
    assert.equal(decoded(1, 'del-flows table=2,out_port=3,ip').outPort, 3);
  });

  test('have the cookie in the header or, in OpenFlow 1.0, in the match', () => {
    for (const version of OPENFLOW_VERSIONS) {
      const mod = decoded(version, 'del-flows cookie=0x12/0xffff');
      assert.deepEqual([mod.command, mod.cookie, mod.cookieMask], ['delete', 0x12n, 0xffffn]);
      assert.deepEqual(mod.match, []);
      const strict = decoded(version, '--strict mod-flows cookie=0x12/-1,priority=7,tcp,actions=output:2');
      assert.deepEqual([strict.command, strict.cookieMask], ['modify_strict', 0xffff_ffff_ffff_ffffn]);
      assert.equal(strict.newCookie, undefined);
    }
  });
});

describe('a flow mod', () => {
  test('that modifies in OpenFlow 1.0 keeps cookies and adds no flow, unless it has a new cookie', () => {
    const modify = flowMod({ command: 'modify_strict' });
    assert.equal(encode(1, modify).readBigUInt64BE(0), 0xffff_ffff_ffff_ffffn);
    assert.equal(encode(1, { ...modify, newCookie: 5n }).readBigUInt64BE(0), 5n);
    assert.equal(decodeFlowMod(1, new WireReader(encode(1, { ...modify, newCookie: 5n }))).newCookie, 5n);
  });

  test('is refused in OpenFlow 1.0 if only later versions can express it', () => {
    const fault = (mod: Partial<FlowMod>): void => {
      assert.throws(() => encode(1, flowMod({ command: 'add', ...mod })), OpenFlowEncodeError);
    };
    fault({ outGroup: 1 });
    fault({ outPort: 70_000 });
    fault({ instructions: [{ type: 'goto_table', tableId: 3 }] });
    fault({ instructions: [{ type: 'apply_actions', actions: [{ type: 'push_vlan', value: 0x8100 }] }] });
  });

  test('with an invalid command is refused with name and offset', () => {
    const bytes = encode(4, flowMod({ command: 'add' }));
    bytes.writeUInt8(9, 17);
    assert.throws(
      () => decodeFlowMod(4, new WireReader(bytes)),
      (error) => error instanceof OpenFlowDecodeError && error.what === 'flow_mod.command',
    );
  });
});

test('decodes packet-outs of ovs-ofctl, and encodes them to the same bytes', () => {
  const vectors = readVectors('flow-mods.json', /^OFPT_PACKET_OUT/);
  assert.equal(vectors.length, 8);
  for (const vector of vectors) {
    const message = decodePacketOut(vector.version, bodyReader(vector));
    assert.equal(message.packet.toString('hex'), '0123456789abaaaaaaaaaaaa88cc0000');
    assert.equal(message.inPort, /in_port=1 /.test(vector.text) ? 1 : 0xffff_fffd);
    const writer = new WireWriter();
    encodePacketOut(vector.version, message, writer);
    assert.equal(writer.finish().toString('hex'), body(vector).toString('hex'), label(vector));
    tryPrefixes(vector, (reader) => decodePacketOut(vector.version, reader));
  }
});

test('decodes the hook flow of a bridge', () => {
  const text = 'add-flow actions=controller(max_len=192,id=18768,userdata=01.02.03.04,meter_id=65000)';
  for (const version of OPENFLOW_VERSIONS) {
    assert.deepEqual(appliedActions(decoded(version, text).instructions), [
      {
        type: 'controller2',
        maxLength: 192,
        controllerId: 18768,
        userdata: Buffer.from([1, 2, 3, 4]),
        meterId: 65000,
      },
    ]);
  }
});
