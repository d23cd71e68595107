import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bridgeUserdata,
  isBridgeUserdata,
  userdataDomainId,
  userdataPointId,
} from '../../src/control/userdata.ts';

test('the userdata of a hook brings back its ids, wherever it stands in a message', () => {
  const userdata = bridgeUserdata(0xffff_fffe, 456);
  assert.equal(userdata.toString('hex'), '01010000fffffffe000001c8');
  const message = Buffer.concat([Buffer.from('junk'), userdata, Buffer.from('more')]);
  assert.equal(isBridgeUserdata(message, 4, 16), true);
  assert.equal(userdataDomainId(message, 4), 0xffff_fffe);
  assert.equal(userdataPointId(message, 4), 456);
});

test("userdata of another size, version or kind is not a hook's", () => {
  const userdata = bridgeUserdata(1, 2);
  assert.equal(isBridgeUserdata(userdata, 0, 11), false);
  assert.equal(isBridgeUserdata(userdata, 0, 0), false);
  for (const [offset, value] of [
    [0, 2],
    [1, 2],
  ] as const) {
    const changed = Buffer.from(userdata);
    changed[offset] = value;
    assert.equal(isBridgeUserdata(changed, 0, 12), false);
  }
});
