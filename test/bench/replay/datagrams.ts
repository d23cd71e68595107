// `node datagrams.mjs PORT COUNT SIZE`: what sending takes alone. Opens a UDP socket of Node, sends COUNT datagrams of SIZE bytes to a
// port of this machine, and does nothing else: no exporter that sends them through such a socket needs less processor time.

import { createSocket } from 'node:dgram';

/** Datagrams of one turn of the event loop, as an exporter sends them. */
const TURN_COUNT = 32;

const [port = 0, count = 0, size = 0] = process.argv.slice(2).map(Number);
const socket = createSocket({ type: 'udp4', sendBufferSize: 1_048_576 });
const datagram = Buffer.alloc(size);
let left = count;
let ended = 0;

/** Each datagram has a callback, by which an exporter knows what was lost. */
function sent(error: Error | null): void {
  if (error !== null) {
    throw error;
  }
  ended += 1;
  if (ended === count) {
    socket.close();
  }
}

function turn(): void {
  for (let index = Math.min(TURN_COUNT, left); index > 0; index -= 1) {
    socket.send(datagram, sent);
    left -= 1;
  }
  if (left > 0) {
    setImmediate(turn);
  }
}

socket.connect(port, '127.0.0.1', turn);
