// A program of the forwarding test: receives the packets of numbered-sender.ts at `PORT` until SIGTERM. On SIGUSR2 it prints
// the number after the highest received, and on SIGHUP, as JSON, how many were received and which numbers below the highest
// were not.

import { createSocket } from 'node:dgram';

export interface ReceivedNumbers {
  readonly received: number;
  /** Packets received more than once. */
  readonly repeated: number;
  /** Ranges of missing numbers, each with its first and last. */
  readonly missing: readonly (readonly [number, number])[];
}

/** Holds the packets of some seconds in which this process gets no processor. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
/** A byte for each number: how often it was received. */
let counts = new Uint8Array(65_536);
let received = 0;
let repeated = 0;
let next = 0;

socket.on('message', (packet) => {
  const number = packet.readUInt32BE(0);
  while (number >= counts.length) {
    const larger = new Uint8Array(counts.length * 2);
    larger.set(counts);
    counts = larger;
  }
  repeated += counts[number] === 0 ? 0 : 1;
  counts[number] = 1;
  received += 1;
  next = Math.max(next, number + 1);
});

process.on('SIGUSR2', () => process.stdout.write(`${next}\n`));
process.on('SIGHUP', () => {
  const missing: [number, number][] = [];
  for (let number = 0; number < next; number += 1) {
    if (counts[number] !== 0) {
      continue;
    }
    const last = missing.at(-1);
    if (last !== undefined && last[1] === number - 1) {
      last[1] = number;
    } else {
      missing.push([number, number]);
    }
  }
  const report: ReceivedNumbers = { received, repeated, missing };
  process.stdout.write(`${JSON.stringify(report)}\n`);
});
process.on('SIGTERM', () => socket.close());
socket.bind(Number(process.argv[2]), () => process.stdout.write('listening\n'));
