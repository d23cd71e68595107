// A program of the test of forwarding: receives the packets of numbered-sender.ts at `PORT` until SIGTERM. SIGUSR2 makes it
// print the number after the highest that has come, and SIGHUP, as JSON, how many came and which numbers below the highest did
// not.

import { createSocket } from 'node:dgram';

export interface ReceivedNumbers {
  readonly received: number;
  /** Packets that came a second time. */
  readonly repeated: number;
  /** Ranges of numbers that did not come, each with its first and its last. */
  readonly missing: readonly (readonly [number, number])[];
}

/** Holds the packets of seconds in which this process gets no processor. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
/** A byte for each number: how often it came. */
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
