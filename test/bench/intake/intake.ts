// The cost of a packet-in from the socket to the sample, read into one buffer and by 'data' events; and the daemon with a real
// Open vSwitch that sends many of them.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { OpenFlowConnection, type PacketInView } from '../../../src/node-openflow/index.ts';
import { ReadMemory } from '../../../src/runtime/read-memory.ts';
import { type BenchPart, type Row, scaled, summary } from '../row.ts';
import { switchPart } from './switch.ts';

const ROUNDS = 5;
const MESSAGES = 2_000_000;
const FRAME_BYTES = 64;
/** Bytes that the peer writes at once. */
const PIECES = { 'large pieces': 65_536, 'message by message': 0 } as const;

export const intakePart: BenchPart = async (told) => {
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
    told(row);
  };
  for (const [name, pieceBytes] of Object.entries(PIECES)) {
    const count = scaled(pieceBytes === 0 ? MESSAGES / 10 : MESSAGES);
    const direct: number[] = [];
    const events: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      direct.push(await receive(count, pieceBytes, true));
      events.push(await receive(count, pieceBytes, false));
    }
    const part = 'intake';
    add({ part, what: `recorded stream, ${name}, one memory`, unit: 'ns/packet-in', ...summary(direct) });
    add({ part, what: `recorded stream, ${name}, 'data' events`, unit: 'ns/packet-in', ...summary(events) });
    const ratios = events.map((nanos, round) => nanos / (direct[round] ?? Number.NaN));
    add({ part, what: `recorded stream, ${name}, events / memory`, unit: 'ratio', ...summary(ratios) });
  }
  rows.push(...(await switchPart(told)));
  return rows;
};

/** Receives so many packet-ins from a thread that writes them; returns this thread's nanoseconds of processor time for each. */
async function receive(count: number, pieceBytes: number, isDirect: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-intake-'));
  const path = join(folder, 'socket');
  const worker = new Worker(process.argv[1] ?? '', {
    argv: ['stream', path, String(count), String(pieceBytes)],
  });
  try {
    await once(worker, 'message');
    const memory = new ReadMemory(65_536);
    const socket = connect({ path, ...(isDirect ? { onread: memory.onread } : {}) });
    await once(socket, 'connect');
    let received = 0;
    let finish: () => void = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const connection = new OpenFlowConnection(socket, {
      versions: [4],
      ...(isDirect ? { source: memory } : {}),
      onPacketIn: (view: PacketInView) => {
        if (view.packetEnd - view.packetStart !== FRAME_BYTES) {
          throw new Error('A packet-in is not as it was sent.');
        }
        received += 1;
        if (received === count) {
          finish();
        }
      },
    });
    await connection.ready;
    const before = threadMicros();
    connection.send({ type: 'echo_request', data: Buffer.from('go') });
    await finished;
    const micros = threadMicros() - before;
    connection.close();
    return (micros * 1000) / count;
  } finally {
    await worker.terminate();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns user and system time of the main thread, in microseconds; the kernel's ticks are too coarse. */
function threadMicros(): number {
  const [nanos = '0'] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ');
  return Number(nanos) / 1000;
}

/** The other thread: a switch that sends a hello and, after a message that is not one, packet-ins. */
export function runStream(path: string, count: number, pieceBytes: number, isReady: () => void): Server {
  const message = packetIn();
  const perPiece = Math.max(1, Math.floor(pieceBytes / message.length));
  const piece = Buffer.concat(Array.from({ length: perPiece }, () => message));
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.write(Buffer.from('0400000800000001', 'hex'));
    let hasBegun = false;
    let got = 0;
    socket.on('data', (bytes) => {
      got += bytes.length;
      // A hello has at most 16 bytes.
      if (hasBegun || got <= 16) {
        return;
      }
      hasBegun = true;
      void write(socket, piece, message.length, count);
    });
  });
  server.listen(path, isReady);
  return server;
}

async function write(socket: Socket, piece: Buffer, messageBytes: number, count: number): Promise<void> {
  for (let left = count * messageBytes; left > 0; left -= piece.length) {
    if (!socket.write(left < piece.length ? piece.subarray(0, left) : piece)) {
      await once(socket, 'drain');
    }
  }
}

/** Returns an NXT_PACKET_IN2 like those of OVS for the hook: a frame of 64 bytes, its length, table, cookie, reason, userdata. */
function packetIn(): Buffer {
  const property = (type: number, value: Buffer): Buffer => {
    const size = 4 + value.length;
    const bytes = Buffer.alloc((size + 7) & ~7);
    bytes.writeUInt16BE(type, 0);
    bytes.writeUInt16BE(size, 2);
    value.copy(bytes, 4);
    return bytes;
  };
  const body = Buffer.concat([
    property(0, Buffer.alloc(FRAME_BYTES, 7)),
    property(3, Buffer.from([0])),
    property(4, Buffer.alloc(12)),
    property(5, Buffer.from([1])),
    property(7, Buffer.alloc(20, 1)),
  ]);
  const header = Buffer.from('0404000000000000000023200000001e', 'hex');
  header.writeUInt16BE(header.length + body.length, 2);
  return Buffer.concat([header, body]);
}
