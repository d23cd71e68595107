// The doctor's finding about the receive buffer of the sockets for samples.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkReceiveBuffer, type ReceivingBridge } from '../../src/commands/doctor/receive-buffer.ts';

const GRANTED = 425_984;
const ASKED_FOR = 8_388_608;

/** Returns the status of a bridge whose socket has that buffer. */
function bridge(receiveBufferBytes: number, lost: number): ReceivingBridge {
  const receiver = { received: 1, refused: 0, errors: 0, senderPort: 1, receiveBufferBytes };
  return { ownRows: { port: 1, receiver }, sampling: { datapath: { packets: { lost } } } };
}

test('a small receive buffer is a note, and a warning once samples were lost', () => {
  const [note] = checkReceiveBuffer([bridge(ASKED_FOR, 0), bridge(GRANTED, 0)]);
  assert.equal(note?.severity, 'note');
  assert.match(note?.message ?? '', /425984 bytes, not 8388608; 0 packets were lost/u);
  assert.match(note?.action ?? '', /"sysctl -w net\.core\.rmem_max=4194304"/u);
  const [warning] = checkReceiveBuffer([bridge(GRANTED, 7), bridge(GRANTED, 0)]);
  assert.equal(warning?.severity, 'warning');
  assert.match(warning?.message ?? '', /7 packets were lost/u);
});

test('no finding where the buffer is as asked for, where no bridge has a socket, and before it is open', () => {
  assert.deepEqual(checkReceiveBuffer([bridge(ASKED_FOR, 7)]), []);
  assert.deepEqual(checkReceiveBuffer([{ ownRows: undefined, sampling: undefined }]), []);
  const closed = {
    ...bridge(0, 0).ownRows,
    port: undefined,
    receiver: { received: 0, refused: 0, errors: 0, senderPort: undefined, receiveBufferBytes: 0 },
  };
  assert.deepEqual(checkReceiveBuffer([{ ownRows: closed, sampling: undefined }]), []);
});
