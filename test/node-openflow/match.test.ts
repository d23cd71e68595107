import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OpenFlowEncodeError } from '../../src/node-openflow/errors.ts';
import { FIELDS, fieldByName, preferredHeader } from '../../src/node-openflow/fields.ts';
import { decodeFlowMod } from '../../src/node-openflow/flow-mod.ts';
import {
  decodeFields,
  decodeNxMatch,
  decodeOxmMatch,
  encodeNxMatch,
  encodeOxmMatch,
  fieldValue,
  inPort,
  isSameMatch,
  type MatchField,
  matchField,
  matchKey,
} from '../../src/node-openflow/match.ts';
import { formatMatch } from '../../src/node-openflow/match-text.ts';
import type { OpenFlowVersion } from '../../src/node-openflow/version.ts';
import { OpenFlowDecodeError, WireReader, WireWriter } from '../../src/node-openflow/wire.ts';
import { bodyReader, readVectors } from './vectors/read-vectors.ts';

const flowMods = readVectors('flow-mods.json', /^(OFPT|NXT)_FLOW_MOD/);

function matchOf(version: OpenFlowVersion, text: string): readonly MatchField[] {
  const vector = flowMods.find(
    (vector) => vector.version === version && vector.text === `add-flow ${text},actions=drop`,
  );
  assert.ok(vector !== undefined, `no vector for "${text}"`);
  return decodeFlowMod(version, bodyReader(vector)).match;
}

function reader(hex: string): WireReader {
  return new WireReader(Buffer.from(hex, 'hex'));
}

describe('the table of fields', () => {
  test('has no duplicate name, nor a duplicate pair of header and width', () => {
    assert.equal(new Set(FIELDS.map(({ name }) => name)).size, FIELDS.length);
    const forms = FIELDS.flatMap((spec) =>
      [spec.nxm, spec.oxm, spec.oxm15]
        .filter((header) => header !== undefined)
        .map((header) => `${header.experimenter}/${header.classId}/${header.fieldId}/${spec.width}`),
    );
    assert.equal(new Set(forms).size, forms.length);
  });

  test('finds fields by the other names that ovs-ofctl accepts', () => {
    assert.equal(fieldByName('nw_src')?.name, 'ip_src');
    assert.equal(fieldByName('dl_type')?.name, 'eth_type');
    assert.equal(fieldByName('no such field'), undefined);
  });

  test('prefers the header of the context', () => {
    const spec = fieldByName('tcp_flags');
    assert.ok(spec !== undefined);
    assert.equal(preferredHeader(spec, 'nxm').classId, 1);
    assert.equal(preferredHeader(spec, 4).experimenter, 0x4f4e_4600);
    assert.equal(preferredHeader(spec, 6).classId, 0x8000);
  });
});

describe('matches that ovs-ofctl has encoded', () => {
  test('are decoded to their values and masks', () => {
    const text = 'reg0=1,reg7=0x80000000/0x80000000,reg11=0/0x80000000,reg15=0xffffffff';
    assert.deepEqual(matchOf(4, text), [
      matchField('reg0', 1),
      matchField('reg7', 0x8000_0000, 0x8000_0000),
      matchField('reg11', 0, 0x8000_0000),
      matchField('reg15', 0xffff_ffff),
    ]);
    assert.deepEqual(matchOf(1, 'in_port=LOCAL'), [inPort(1, 0xffff_fffe)]);
    assert.deepEqual(matchOf(6, 'in_port=LOCAL'), [inPort(6, 0xffff_fffe)]);
    assert.deepEqual(matchOf(5, 'metadata=0x5/0xff'), [matchField('metadata', 5, 0xff)]);
  });

  test('are equal in all versions, although OpenFlow 1.5 joins registers', () => {
    const text = 'reg0=1,reg7=0x80000000/0x80000000,reg11=0/0x80000000,reg15=0xffffffff';
    assert.notEqual(formatMatch(matchOf(6, text)), formatMatch(matchOf(4, text)));
    for (const version of [1, 5, 6] as const) {
      assert.ok(isSameMatch(matchOf(version, text), matchOf(4, text)));
    }
    assert.ok(
      !isSameMatch(matchOf(6, 'reg0=1,reg7=0x80000000/0x80000000,reg11=0/0x80000000,reg15=0xffffffff'), []),
    );
  });
});

describe('a match', () => {
  test('keeps unknown fields, with masks and experimenters', () => {
    const hex = '8000c60401020304ffff0208deadbeef01020304';
    const fields = decodeFields(reader(hex), 4, 'match');
    assert.deepEqual(
      fields.map(({ field }) => field),
      ['unknown', 'unknown'],
    );
    const writer = new WireWriter();
    encodeOxmMatch(4, fields, writer);
    assert.equal(writer.finish().toString('hex'), `00010018${hex}`.padEnd(48, '0'));
    assert.match(formatMatch(fields), /^oxm_0x8000_99=0x1020304,oxm_0xffff_1_0xdeadbeef=0x1020304$/);
  });

  test('keeps a known field with another width as unknown', () => {
    const [field] = decodeFields(reader('0001000201ff'), 'nxm', 'match');
    assert.equal(field?.field, 'unknown');
  });

  test('keeps the header of a known field in another context', () => {
    const hex = '0001000c00000e0401020304';
    const fields = decodeOxmMatch(4, reader(`${hex}00000000`));
    assert.equal(fields[0]?.field, 'ip_src');
    const writer = new WireWriter();
    encodeOxmMatch(4, fields, writer);
    assert.equal(writer.finish().toString('hex'), `${hex}00000000`);
  });

  test('distinguishes mpls_ttl and the cookie by their width', () => {
    const fields = decodeNxMatch(17, reader(`00013c010900013c080000000000000012${'00'.repeat(7)}`));
    assert.deepEqual(
      fields.map((field) => [field.field, fieldValue(field)]),
      [
        ['mpls_ttl', 9n],
        ['cookie', 0x12n],
      ],
    );
  });

  test('that is truncated or inconsistent is refused by name', () => {
    for (const hex of ['00', '0000', '00000004', '0000000401', 'ffff0003ffffff', '0001010301ff00']) {
      assert.throws(() => decodeFields(reader(hex), 'nxm', 'match'), OpenFlowDecodeError, hex);
    }
    for (const hex of ['0000000400000000', '0001000300000000', '00010004', '000100ff00000000']) {
      assert.throws(() => decodeOxmMatch(4, reader(hex)), OpenFlowDecodeError, hex);
    }
  });

  test('has a key that does not depend on the order of fields, nor on masked bits', () => {
    const [a, b] = [matchField('reg1', 5), matchField('eth_type', 0x800)];
    assert.equal(matchKey([a, b]), matchKey([b, a]));
    assert.equal(matchKey([matchField('reg1', 0xff, 0x0f)]), matchKey([matchField('reg1', 0x0f, 0x0f)]));
    assert.equal(matchKey([matchField('reg1', 5, 0xffff_ffff)]), matchKey([matchField('reg1', 5)]));
    assert.notEqual(matchKey([matchField('reg1', 5)]), matchKey([matchField('reg2', 5)]));
  });

  test('cannot be made of values that do not fit', () => {
    assert.throws(() => matchField('reg0', 0x1_0000_0000), RangeError);
    assert.throws(() => matchField('reg0', -1), RangeError);
    assert.throws(() => matchField('eth_src', Buffer.alloc(5)), RangeError);
    assert.throws(() => matchField('nonsense', 1), RangeError);
    const tooWide: MatchField = { field: 'reg0', value: Buffer.alloc(3) };
    assert.throws(() => encodeNxMatch([tooWide], new WireWriter()), RangeError);
    assert.throws(
      () => encodeNxMatch([{ field: 'unknown', value: Buffer.alloc(3) }], new WireWriter()),
      OpenFlowEncodeError,
    );
  });

  test('is formatted in the syntax of ovs-ofctl', () => {
    const fields = [
      inPort(4, 0xffff_fffe),
      matchField('eth_src', 0x0102030405n),
      matchField('ip_dst', 0x0a00_0000, 0xff00_0000),
      matchField('ipv6_src', 1),
      matchField('tun_id', 0x123n),
      matchField('ct_state', 0x21, 0x21),
    ];
    assert.equal(
      formatMatch(fields),
      'in_port=LOCAL,eth_src=00:01:02:03:04:05,ip_dst=10.0.0.0/255.0.0.0,ipv6_src=0:0:0:0:0:0:0:1,tun_id=0x123,ct_state=0x21/0x21',
    );
  });
});
