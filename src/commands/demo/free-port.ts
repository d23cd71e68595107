// Free ports of the loopback address, for programs that the demo starts.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const HOST = '127.0.0.1';

/** A TCP port that is held until another program takes it. */
export interface HeldPort {
  readonly port: number;
  /** Frees it. Safe to repeat. */
  release(): Promise<void>;
}

/** Holds a free TCP port: the preferred one if it is free. */
export async function holdTcpPort(preferred: number): Promise<HeldPort> {
  return hold(preferred).catch(() => hold(0));
}

/** Returns a free UDP port. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, HOST);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

async function hold(wanted: number): Promise<HeldPort> {
  const server = createServer().listen(wanted, HOST);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : wanted,
    release: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
