import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpenFlowErrorReport } from '../../src/node-openflow/errors.ts';
import type { OpenFlowMessage } from '../../src/node-openflow/message-types.ts';
import { PendingRequests } from '../../src/node-openflow/pending-requests.ts';

const BARRIERS: readonly OpenFlowMessage[] = Array.from({ length: 3 }, () => ({ type: 'barrier_request' }));
const REPORT: OpenFlowErrorReport = {
  errorType: 1,
  errorCode: 6,
  vendor: 0,
  name: 'OFPBRC_BAD_LEN',
  data: Buffer.alloc(0),
};

test('returns consecutive transaction ids from 1, and starts again after the last', () => {
  const pending = new PendingRequests(1000);
  assert.equal(pending.takeXids(1), 1);
  assert.equal(pending.takeXids(5), 2);
  assert.equal(pending.takeXids(0xffff_ffff - 6), 7);
  assert.equal(pending.takeXids(1), 1);
});

test('starts again at 1 for a range of transaction ids that would exceed the last', () => {
  const pending = new PendingRequests(1000);
  pending.takeXids(0xffff_fff0);
  assert.equal(pending.takeXids(100), 1);
});

test('does not return a transaction id that is pending', () => {
  const pending = new PendingRequests(1000);
  pending.takeXids(0xffff_ffff);
  void pending.add(1, 'barrier_request', 'barrier_reply');
  const batch = pending.addBatch(3, BARRIERS);
  assert.equal(pending.takeXids(1), 2);
  assert.equal(pending.takeXids(1), 6);
  pending.removeBatch(batch);
  assert.equal(pending.count, 1);
});

test('collects errors about a batch until it is removed, and no others', () => {
  const pending = new PendingRequests(1000);
  const batch = pending.addBatch(10, BARRIERS);
  const error: OpenFlowMessage = { type: 'error', ...REPORT };
  assert.ok(!pending.offer(9, error, false, 12));
  assert.ok(pending.offer(10, error, false, 12));
  assert.ok(pending.offer(12, error, false, 12));
  assert.ok(!pending.offer(13, error, false, 12));
  assert.deepEqual(
    batch.errors.map(({ index, requestType, errorName }) => [index, requestType, errorName]),
    [
      [0, 'barrier_request', 'OFPBRC_BAD_LEN'],
      [2, 'barrier_request', 'OFPBRC_BAD_LEN'],
    ],
  );
  pending.removeBatch(batch);
  assert.ok(!pending.offer(10, error, false, 12));
});

test('does not resolve a request with a reply of another type', async () => {
  const pending = new PendingRequests(1000);
  const reply = pending.add(5, 'barrier_request', 'barrier_reply');
  assert.ok(!pending.offer(5, { type: 'echo_reply', data: Buffer.alloc(0) }, false, 8));
  assert.ok(pending.offer(5, { type: 'barrier_reply' }, false, 8));
  assert.deepEqual(await reply, { type: 'barrier_reply' });
});

test('rejects the request on an error within a multipart reply', async () => {
  const pending = new PendingRequests(1000);
  const reply = pending.add(5, 'meter_config_request', 'meter_config_reply');
  assert.ok(pending.offer(5, { type: 'meter_config_reply', entries: [] }, true, 16));
  assert.ok(pending.offer(5, { type: 'error', ...REPORT }, false, 12));
  await assert.rejects(reply, { code: 'OPENFLOW_REQUEST', errorName: 'OFPBRC_BAD_LEN' });
  assert.equal(pending.count, 0);
});
