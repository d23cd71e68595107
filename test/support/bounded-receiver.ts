// A collector in a process of its own, with the receive buffer that Linux gives a socket by default, which does not read now and
// then. It counts records by the sequence numbers, so that it knows what the kernel has dropped.

import { createSocket } from 'node:dgram';
import { templateWithId } from '../../src/ipfix/record-layout.ts';

/** What the receiver reports to its parent. */
export interface ReceiverReport {
  readonly port: number;
  readonly bufferBytes: number;
  readonly messages: number;
  readonly records: number;
  /** Records that are missing between the sequence numbers. */
  readonly missing: number;
}

/** `net.core.rmem_default` of Linux; the kernel doubles what a program asks for. */
const BUFFER_BYTES = 212_992;
/** Milliseconds between two pauses, as for a write to a disk, and how long each lasts. */
const PAUSE_INTERVAL_MS = 20;
const PAUSE_MS = 6;

/** Returns the number of data records in a message. */
function recordsOf(message: Buffer): number {
  let count = 0;
  for (let offset = 16; offset < message.length; offset += message.readUInt16BE(offset + 2)) {
    const id = message.readUInt16BE(offset);
    if (id >= 256) {
      count += Math.floor((message.readUInt16BE(offset + 2) - 4) / templateWithId(id).recordSize);
    }
  }
  return count;
}

const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES / 2 });
let messages = 0;
let records = 0;
let missing = 0;
let next = 0;

socket.on('message', (message) => {
  messages += 1;
  const sequenceNumber = message.readUInt32BE(8);
  missing += sequenceNumber - next;
  const count = recordsOf(message);
  records += count;
  next = sequenceNumber + count;
});
const cell = new Int32Array(new SharedArrayBuffer(4));
setInterval(() => Atomics.wait(cell, 0, 0, PAUSE_MS), PAUSE_INTERVAL_MS);

function report(): ReceiverReport {
  const bufferBytes = socket.getRecvBufferSize();
  return { port: socket.address().port, bufferBytes, messages, records, missing };
}

socket.bind(0, '127.0.0.1', () => process.send?.(report()));
process.on('message', () => process.send?.(report()));
process.on('disconnect', () => process.exit());
