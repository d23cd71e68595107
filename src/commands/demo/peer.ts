// The ends of the demo's TCP and UDP traffic between network namespaces: a hidden command of this program, run by nsenter,
// because Node.js cannot enter a namespace. `serve` echoes; `talk` sends data and waits for the echo; `load` keeps conversations
// going whose rates rise and fall.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Command } from 'commander';
import { CONVERSATIONS, levelAt } from './vms.ts';
import { pause } from './wait.ts';

/** The hidden command's words. */
export const PEER_COMMAND = ['demo', 'peer'] as const;

const PORT = 7777;
const portsOf = (protocol: string): readonly number[] => [
  PORT,
  ...CONVERSATIONS.filter((conversation) => conversation.protocol === protocol).map(({ port }) => port),
];
const DATAGRAM_COUNT = 3;
const SEGMENT_SIZES = [100, 1200, 40];
const ANSWER_TIMEOUT_MS = 3000;
/** Milliseconds between two exchanges of a conversation, and its bytes or datagrams in each at most. */
const EXCHANGE_MS = 200;
const EXCHANGE_BYTES = 6000;
const EXCHANGE_DATAGRAMS = 5;

/** `demo peer serve`, `demo peer talk ADDRESS...` and `demo peer load PROTOCOL:ADDRESS:PORT:PERIOD...`. */
export function peerCommand(): Command {
  return new Command('peer')
    .addCommand(new Command('serve').action(serve))
    .addCommand(new Command('talk').argument('<address...>').action(talk))
    .addCommand(new Command('load').argument('<conversation...>').action(load));
}

async function serve(): Promise<void> {
  // "::" takes IPv4 as well, but not where IPv6 is switched off.
  const host = await listen('::', PORT).then(
    () => '::',
    () => listen('0.0.0.0', PORT).then(() => '0.0.0.0'),
  );
  for (const port of portsOf('tcp').slice(1)) {
    await listen(host, port);
  }
  for (const port of portsOf('udp')) {
    const datagrams = createSocket(host === '::' ? 'udp6' : 'udp4');
    datagrams.on('message', (bytes, from) => datagrams.send(bytes, from.port, from.address));
    datagrams.bind(port, host);
    await once(datagrams, 'listening');
  }
  process.stdout.write('listening\n');
}

async function listen(host: string, port: number): Promise<void> {
  const server = createServer((connection) => {
    connection.on('error', () => connection.destroy());
    connection.pipe(connection);
  });
  server.listen(port, host);
  await once(server, 'listening');
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
      await exchange(socket, size, signal);
    }
    const closed = once(socket, 'close', { signal });
    socket.end();
    await closed;
  } finally {
    socket.destroy();
  }
}

/** Sends so many bytes, and waits for their echo. */
async function exchange(socket: Socket, size: number, signal?: AbortSignal): Promise<void> {
  socket.write(Buffer.alloc(size));
  for (let received = 0; received < size; ) {
    const [bytes] = (await once(socket, 'data', { signal })) as [Buffer];
    received += bytes.length;
  }
}

/** Keeps conversations going until the process ends. */
async function load(conversations: readonly string[]): Promise<void> {
  await Promise.all(
    conversations.map((conversation) => {
      const [protocol = '', address = '', port, period] = conversation.split(':');
      const converse = protocol === 'tcp' ? loadTcp : loadUdp;
      return converse(address, Number(port), Number(period));
    }),
  );
}

async function loadTcp(address: string, port: number, period: number): Promise<void> {
  const socket = connect(port, address);
  await once(socket, 'connect');
  for (let seconds = 0; ; seconds += EXCHANGE_MS / 1000) {
    await exchange(socket, 100 + Math.round(EXCHANGE_BYTES * levelAt(seconds, period)));
    await pause(EXCHANGE_MS);
  }
}

async function loadUdp(address: string, port: number, period: number): Promise<void> {
  const socket = createSocket('udp4');
  for (let seconds = 0; ; seconds += EXCHANGE_MS / 1000) {
    const count = 1 + Math.round(EXCHANGE_DATAGRAMS * levelAt(seconds, period));
    for (let index = 0; index < count; index += 1) {
      socket.send(Buffer.alloc(40 + 10 * index), port, address);
    }
    await pause(EXCHANGE_MS);
  }
}
