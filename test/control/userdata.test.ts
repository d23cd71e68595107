import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bridgeUserdata,
  idsFromFields,
  KIND_BRIDGE,
  KIND_SAMPLE,
  KIND_SAMPLE_FIELDS,
  KIND_UNKNOWN,
  sampleUserdata,
  userdataCollectorSet,
  userdataDomainId,
  userdataKind,
  userdataPointId,
  userdataProbability,
} from '../../src/control/userdata.ts';
import { PacketInView, type SampleAction } from '../../src/node-openflow/index.ts';

const sample: SampleAction = {
  type: 'sample',
  probability: 655,
  collectorSetId: 9,
  observationDomainId: 7,
  observationPointId: 8,
  samplingPort: 0xffff_ffff,
  direction: 0,
};

test('the userdata of a hook brings back its ids, wherever it stands in a message', () => {
  const userdata = bridgeUserdata(0xffff_fffe, 456);
  assert.equal(userdata.toString('hex'), '01010000fffffffe000001c8');
  const message = Buffer.concat([Buffer.from('junk'), userdata, Buffer.from('more')]);
  assert.equal(userdataKind(message, 4, 16), KIND_BRIDGE);
  assert.equal(userdataDomainId(message, 4), 0xffff_fffe);
  assert.equal(userdataPointId(message, 4), 456);
});

test('the userdata of a sample action brings back probability, set and ids', () => {
  const userdata = sampleUserdata(sample);
  assert.equal(userdata.toString('hex'), '0102028f000000070000000800000009');
  assert.equal(userdataKind(userdata, 0, 16), KIND_SAMPLE);
  assert.equal(userdataProbability(userdata, 0), 655);
  assert.equal(userdataCollectorSet(userdata, 0), 9);
});

test('userdata of another size, version or kind is unknown', () => {
  const userdata = bridgeUserdata(1, 2);
  assert.equal(userdataKind(userdata, 0, 11), KIND_UNKNOWN);
  assert.equal(userdataKind(userdata, 0, 0), KIND_UNKNOWN);
  assert.equal(userdataKind(Buffer.concat([userdata, Buffer.alloc(4)]), 0, 16), KIND_UNKNOWN);
  for (const [offset, value] of [
    [0, 2],
    [1, 2],
    [1, 0],
    [1, 4],
  ] as const) {
    const changed = Buffer.from(userdata);
    changed[offset] = value;
    assert.equal(userdataKind(changed, 0, 12), KIND_UNKNOWN);
  }
});

test("ids from fields are read from the packet-in's metadata, and are 0 where it lacks the field", () => {
  const action: SampleAction = {
    ...sample,
    type: 'sample4',
    observationDomainId: { field: 'reg1', offset: 4, bitCount: 8 },
    observationPointId: 77,
  };
  const userdata = sampleUserdata(action);
  // NXM_NX_REG1 (class 1, field 1), 4 bytes.
  const metadata = Buffer.from('0001020400000abc', 'hex');
  const view = new PacketInView();
  view.bytes = Buffer.concat([userdata, metadata]);
  view.userdataEnd = userdata.length;
  view.metadataStart = userdata.length;
  view.metadataEnd = view.bytes.length;
  assert.equal(userdataKind(view.bytes, 0, userdata.length), KIND_SAMPLE_FIELDS);
  assert.deepEqual(idsFromFields(view), { domainId: 0xab, pointId: 77 });
  view.metadataEnd = view.metadataStart;
  assert.deepEqual(idsFromFields(view), { domainId: 0, pointId: 77 });
});
