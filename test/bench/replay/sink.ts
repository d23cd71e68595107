// The collector of the replay benchmark: counts what it receives over UDP, and prints the counts at the end. It decodes
// nothing, so that it does not slow the exporters down; their own counts show that nothing is missing.

import { createSocket } from 'node:dgram';

/** What a sink has received. */
export interface SinkCounts {
  readonly messages: number;
  readonly octets: number;
}

/** Prints its port, runs until SIGTERM, and prints its counts. */
export function runSink(): void {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 64 * 1024 * 1024 });
  let messages = 0;
  let octets = 0;
  socket.on('message', (message) => {
    messages += 1;
    octets += message.length;
  });
  socket.bind(0, '127.0.0.1', () => process.stdout.write(`${socket.address().port}\n`));
  process.once('SIGTERM', () => {
    process.stdout.write(`${JSON.stringify({ messages, octets })}\n`, () => process.exit(0));
  });
}
