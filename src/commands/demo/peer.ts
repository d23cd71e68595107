// The two ends of the demo's TCP and UDP traffic between network namespaces: a hidden command of this program, run by nsenter,
// because Node.js cannot enter a namespace. `serve` echoes; `talk` sends data and waits for the echo.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { Command } from 'commander';

/** The hidden command's words. */
export const PEER_COMMAND = ['demo', 'peer'] as const;

const PORT = 7777;
const DATAGRAM_COUNT = 3;
const SEGMENT_SIZES = [100, 1200, 40];
const ANSWER_TIMEOUT_MS = 3000;

/** `demo peer serve` and `demo peer talk ADDRESS...`. */
export function peerCommand(): Command {
  return new Command('peer')
    .addCommand(new Command('serve').action(serve))
    .addCommand(new Command('talk').argument('<address...>').action(talk));
}

async function serve(): Promise<void> {
  const server = createServer((connection) => {
    connection.on('error', () => connection.destroy());
    connection.pipe(connection);
  });
  // "::" takes IPv4 as well, but not where IPv6 is switched off.
  const host = await listen('::').catch(() => listen('0.0.0.0'));
  const datagrams = createSocket(host === '::' ? 'udp6' : 'udp4');
  datagrams.on('message', (bytes, { address, port }) => datagrams.send(bytes, port, address));
  datagrams.bind(PORT, host);
  await once(datagrams, 'listening');
  process.stdout.write('listening\n');

  async function listen(host: string): Promise<string> {
    server.listen(PORT, host);
    await once(server, 'listening');
    return host;
  }
}

async function talk(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    await talkUdp(address);
    await talkTcp(address);
  }
}

async function talkUdp(address: string): Promise<void> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    for (let size = 1; size <= DATAGRAM_COUNT; size += 1) {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      socket.send(Buffer.alloc(size * 50), PORT, address);
      await answer;
    }
  } finally {
    socket.close();
  }
}

async function talkTcp(address: string): Promise<void> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const socket = connect(PORT, address);
  try {
    await once(socket, 'connect', { signal });
    for (const size of SEGMENT_SIZES) {
      socket.write(Buffer.alloc(size));
      for (let received = 0; received < size; ) {
        const [bytes] = (await once(socket, 'data', { signal })) as [Buffer];
        received += bytes.length;
      }
    }
    const closed = once(socket, 'close', { signal });
    socket.end();
    await closed;
  } finally {
    socket.destroy();
  }
}
