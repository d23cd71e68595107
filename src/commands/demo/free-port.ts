// Free ports of the loopback address, for programs that the demo starts.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const HOST = '127.0.0.1';

/** Returns a free TCP port: the preferred one if it is free. */
export async function freeTcpPort(preferred: number): Promise<number> {
  return tcpPort(preferred).catch(() => tcpPort(0));
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

async function tcpPort(wanted: number): Promise<number> {
  const server = createServer().listen(wanted, HOST);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address === 'object' ? address.port : wanted;
}
